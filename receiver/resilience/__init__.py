"""Tasks that are restarted, cancelled and shared."""
