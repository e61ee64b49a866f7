"""`yizhan status`: how everything stands, a verdict first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from receiver.cli.app import LOOK, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.look.output import print_document
from receiver.cli.look.status_text import away_text, status_text
from receiver.cli.process import EXIT_FAILED, EXIT_PARTLY, run
from receiver.composition.operations import opened_place
from receiver.composition.spool import opened_spool
from receiver.errors import BusError, ConfigurationError
from receiver.operations.look.status import status as look
from receiver.operations.look.status import status_without_nats
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.routing import Handler


@app.command(
    rich_help_panel=LOOK,
    epilog=examples("yizhan status", "yizhan status --json", "watch -n 10 yizhan status"),
)
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say in one sentence whether all is well, then how everything stands.

    Sources with their last callback, streams with their sizes and when they are full, handlers
    with what waits, the spool, dead letters, effects in doubt. Exits 0 whatever the verdict, 3
    where a part could not be read, 1 where NATS is away: then the spool alone is shown.
    """
    settings = load_to_look(config)
    loaded, fault = _loaded(settings)

    async def main(_: asyncio.Event) -> int:
        try:
            async with opened_place(settings, loaded) as place:
                document = await look(place, datetime.now(UTC), unknown=fault)
                stream = place.archive.subjects.stream
        except BusError as error:
            return await _without_nats(settings, error, as_json=as_json)
        commands = ["nats stream report", f"nats consumer report {stream}"]
        print_document(document, status_text(document), commands, as_json=as_json)
        return EXIT_PARTLY if document["missing"] else 0

    run(main)


async def _without_nats(settings: Settings, error: BusError, *, as_json: bool) -> int:
    async with opened_spool(settings) as spool:
        state = spool.state if spool.path.exists() else None
        document = await status_without_nats(state, str(error), datetime.now(UTC))
    print_document(document, away_text(document), (), as_json=as_json)
    return EXIT_FAILED


def _loaded(settings: Settings) -> tuple[list[Handler], list[str]]:
    try:
        return configured_handlers(settings.handlers), []
    except ConfigurationError as error:
        return [], [f"the handlers of the settings: {error}"]
