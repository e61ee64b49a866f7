"""Whether what is acknowledged survives a loss of power: as a finding, and as a warning."""

from __future__ import annotations

from receiver.cli.findings import Finding
from receiver.observability.logs import get_logger
from receiver.operations.durability import durability as look
from receiver.settings import NatsSettings, Settings


async def durability(nats: NatsSettings) -> Finding:
    """What is known of it; a doubt is worth knowing, and a start goes on."""
    found = await look(nats)
    return Finding(found.text, None if found.in_doubt else True)


async def warn_of_loss(settings: Settings) -> None:
    """Log a doubt, once."""
    found = await look(settings.nats)
    if found.in_doubt:
        get_logger("yizhan").warning("durability_in_doubt", action=found.text)
