"""What the platforms' messages mean: from their words to our events. Pure functions."""
