"""Ways to store messages: single, in one write, in batches."""
