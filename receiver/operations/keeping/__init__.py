"""How long what is stored stays: when a stream is full, and deleting by a filter."""
