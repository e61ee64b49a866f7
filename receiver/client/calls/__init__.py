"""The calls of the platform's API, one family a module."""
