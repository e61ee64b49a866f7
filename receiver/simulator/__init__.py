"""Plays the platform: pushes callbacks by its real rules and serves its API."""
