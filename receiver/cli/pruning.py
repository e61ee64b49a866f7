"""`yizhan check --prune`: delete the durables of handlers that are no longer there."""

from __future__ import annotations

from pathlib import Path

import typer

from receiver.cli.acting import who
from receiver.cli.options import existing_data
from receiver.cli.process import EXIT_FAILED
from receiver.composition.operations import opened_operations
from receiver.settings import development
from receiver.worker.configuration import configured_handlers


async def prune_handlers(config: Path | None, *, yes: bool) -> int:
    """Name them, ask, and delete them; the exit code. One that a worker runs stays.

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
            typer.echo(f"{orphan.handler}: {waiting} events that it has not handled will not be")
        if not orphans:
            typer.echo("no position of a handler is to be deleted")
            return 0
        if not (yes or typer.confirm(f"Delete {len(orphans)} positions?")):
            return EXIT_FAILED
        for orphan in orphans:
            await operations.forget(orphan, by=who())
            typer.echo(f"{orphan.handler} is forgotten")
    return 0
