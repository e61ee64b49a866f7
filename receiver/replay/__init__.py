"""Stored events, given again."""
