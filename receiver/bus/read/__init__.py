"""Ways to read messages: all that is stored, or by a durable consumer."""
