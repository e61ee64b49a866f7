"""Replays into handlers: what is kept of each, and feeding it into the lanes of who runs them."""
