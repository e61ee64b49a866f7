"""Where a replay goes."""
