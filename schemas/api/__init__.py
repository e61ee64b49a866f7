"""The calls of the platform's API: what is sent and what comes back, one module a group."""
