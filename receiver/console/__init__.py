"""The operators' pages: server-rendered, on a listener of their own."""
