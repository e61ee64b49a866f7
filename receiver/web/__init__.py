"""The HTTP edge: the Starlette app, its endpoints and middleware."""
