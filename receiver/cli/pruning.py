"""`yizhan check --prune`: delete the durables of handlers that are no longer there."""

from __future__ import annotations

from pathlib import Path

from receiver.cli.acting import who
from receiver.cli.desk import Desk
from receiver.cli.options import existing_data
from receiver.composition.operations import opened_operations
from receiver.settings import development
from receiver.worker.configuration import configured_handlers


async def prune_handlers(config: Path | None, desk: Desk) -> list[str] | None:
    """Name them, ask, and delete them; whose they were, None where that was declined. One that a
    worker runs stays.

    Raises `ConfigurationError` where handlers do not load: whose a durable is, is not known then.
    """
    settings, _ = development.load(config, keep=False)
    if settings.nats.url is None:
        existing_data(settings.nats)
    loaded = configured_handlers(settings.handlers)
    async with opened_operations(settings, loaded) as operations:
        orphans = [orphan for orphan in await operations.orphans() if not orphan.requests]
        for orphan in orphans:
            waiting = orphan.pending + orphan.unfinished
            desk.say(f"{orphan.handler}: {waiting} events that it has not handled will not be")
        if not orphans:
            desk.say("no position of a handler is to be deleted")
        elif not desk.confirmed(f"Delete {len(orphans)} positions?"):
            return None
        for orphan in orphans:
            await operations.forget(orphan, by=who())
            desk.say(f"{orphan.handler} is forgotten")
    return [orphan.handler for orphan in orphans]
