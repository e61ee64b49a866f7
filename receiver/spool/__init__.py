"""Callbacks on disk while NATS is away."""
