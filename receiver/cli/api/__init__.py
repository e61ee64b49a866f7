"""`yizhan api`: the platform's calls from a shell; needs neither NATS nor a receiver."""

from receiver.cli.api.command import api

__all__ = ["api"]
