"""HTTP connections: bytes, limits, deadlines."""
