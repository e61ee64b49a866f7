"""Worker processes that are killed, suspended and cut off while they handle events of orders."""
