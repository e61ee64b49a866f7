"""Wrong input to commands that ask a server: what is said of it, for the second table of the page.

One server serves all of them, with the streams of a start, a handler that was never started, and
nothing stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from tests.cli.conftest import Ended, Yizhan
from tests.cli.test_check_and_up import SOURCE
from tests.cli.wrong import SETTINGS, Wrong, sentence

Server = Literal["there", "away", "refuses"]

_HANDLER: Final = """\
from yizhan import Router
from yizhan.events import OrderClosed
router = Router()
@router.on(OrderClosed)
async def slow(event, ctx): ...
"""
_SETTINGS: Final = f'{SOURCE}[handlers]\nload = ["my_handlers:router"]\n'
_AT_ONCE: Final = 16
_PORT: Final = re.compile(r"(?<=nats://127\.0\.0\.1:)\d{2,}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Served:
    """A command, and how its server is; `code` is what it exits with."""

    what: str
    command: str
    code: int = 2
    server: Server = "there"


_THERE: Final = (
    Served("an order that is not known", "order 4711", 1),
    Served("a waybill that no event names", "order SF1234567890123", 1),
    Served("a callback that is not known", "callback 4711", 1),
    Served("a sequence that is not stored", "event '#999999'", 1),
    Served("a state of no order", "state show 4711", 1),
    Served("a letter that is not there", "dead show '#99'", 1),
    Served("a retry of a letter that is not there", "dead retry '#99'", 1),
    Served("letters of a handler that is not there", "dead retry --handler slwo --yes"),
    Served("a cause that no letter has", "dead snooze 0a1b2c3d4e5f --for 8h --reason known", 1),
    Served("a cause that is not snoozed", "dead wake 0a1b2c3d4e5f", 1),
    Served("a rate below nothing", "dead retry --all --rate -1 --yes"),
    Served("swapped times of letters", "dead list --since 1h --until 2h"),
    Served("a drop of a letter that is not there", "dead drop '#99' --reason old --yes", 1),
    Served("a callback that is not in quarantine", "quarantine show '#99'", 1),
    Served("a reparse of what is not there", "quarantine reparse '#99' --yes", 1),
    Served("a callback to drop that is not there", "quarantine drop '#99' --reason old --yes", 1),
    Served("effects of a handler that is not there", "doubt --handler slwo"),
    Served("an effect that is not there", "doubt show effect.slow.1.mail"),
    Served("a verdict on no effect", "doubt settle effect.slow.1.mail --happened --note seen"),
    Served("a pause of a handler that is not there", "handlers pause slwo --reason old"),
    Served("a pause of a handler never started", "handlers pause slow --reason old"),
    Served("a resumption of a handler that is not there", "handlers resume slwo"),
    Served("a rewind of a handler that is not there", "handlers rewind slwo --to 2h --yes"),
    Served("forgetting a handler that is not there", "handlers forget slwo --yes"),
    Served("a plan whose name is none", "replay plan 'a b' --since 1h --to handler:slow"),
    Served("a plan into a handler that is not there", "replay plan p --since 1h --to handler:slwo"),
    Served("a run of no plan", "replay run nope"),
    Served("a report of no plan", "replay report nope"),
    Served("cancelling no plan", "replay cancel nope"),
    Served("what if, of a handler that is not there", "replay what-if --to handler:slwo"),
    Served("what if, into a file", "replay what-if --to file:out"),
    Served("an export of no kind", "export out.zst --what event"),
    Served("an export over a file", f"export {SETTINGS} --all"),
    Served("an export into a missing directory", "export no/out.zst --all"),
    Served("an import of no file", "import none.zst --yes"),
    Served("an import of a foreign file", f"import {SETTINGS} --yes"),
    Served("swapped times of a purge", "purge --what events --since 1h --until 2h --dry-run"),
    Served("letters that a filter does not select", "dead retry --type order.closed --yes", 0),
    Served("no letters to drop", "dead drop --all --reason old --yes", 0),
    Served("no callbacks to read again", "quarantine reparse --all --yes", 0),
    Served("an order of which nothing is stored", "purge --order 4711 --what events --dry-run", 0),
    Served("a replay of nothing", "replay --order 4711 --to handler:slow --dry-run", 0),
    Served("acts of no kind", "audit --verb handler-pause"),
    Served("JSON of a page that is served", "metrics --json"),
    Served("the URL of a server of your own", "url"),
)
_AWAY: Final = (
    *("status", "order 4711", "event 4711", "state show 4711", "state rebuild", "handlers"),
    *("dead list", "dead retry --all --yes", "quarantine list", "doubt", "audit", "replay list"),
    *("export out.zst --all", "retention apply", "events --drift"),
    *("tail", "callback 4711", "dead show '#1'", "quarantine show '#1'"),
    "purge --order 4711 --what events --dry-run",
)
_REFUSED: Final = ("status", "dead list", "handlers resume slow")
SERVED: Final = (
    *_THERE,
    *(Served("NATS is away", command, 1, "away") for command in _AWAY),
    Served("NATS is away", "metrics --once", 3, "away"),
    *(Served("a wrong password of NATS", command, 1, "refuses") for command in _REFUSED),
)
HEAD_SERVED: Final = """
## Beside a server

The same of commands that ask a server: what they look for is not there (exit code 0 where a filter
selects nothing, since nothing is left to do), or the server is not.

| wrong | command | sentence | exit code |
| --- | --- | --- | --- |
"""


@contextlib.asynccontextmanager
async def served(directory: Path) -> AsyncIterator[ServedYizhan]:
    """A directory with settings and a handler, and the server that `served_rows` asks."""
    (directory / SETTINGS).write_text(_SETTINGS, encoding="utf-8")
    (directory / SETTINGS).chmod(0o600)
    (directory / "my_handlers.py").write_text(_HANDLER, encoding="utf-8")
    config = EmbeddedServerConfig(directory / "nats", port=0, sync_always=False, secured=True)
    server = EmbeddedServer(config)
    await server.start()
    try:
        yield ServedYizhan(directory, server.url)
    finally:
        await server.stop()


class ServedYizhan(Yizhan):
    """The command line beside a server."""

    def __init__(self, directory: Path, url: str) -> None:
        super().__init__(directory)
        password = url.split("@", maxsplit=1)[0].rpartition(":")[2]
        wrong = url.replace(password, "wrong")
        self._urls = {"there": url, "away": "nats://127.0.0.1:9", "refuses": wrong}

    async def row(self, wrong: Served) -> tuple[str, int]:
        """The row of the page, and the exit code."""
        url = self._urls[wrong.server]
        command = Wrong(wrong.what, wrong.command)
        ended = await self.run(*command.words, YIZHAN_NATS__URL=url, COLUMNS="120")
        said = _PORT.sub("4222", sentence(ended) or _first(ended))
        cells = (wrong.what, f"`yizhan {wrong.command}`", said, str(ended.code))
        return _TIME.sub("2026-01-31 08:00:00", f"| {' | '.join(cells)} |"), ended.code


def _first(ended: Ended) -> str:
    """Of a command whose answer says it."""
    missing = [line for line in ended.err.splitlines() if line.startswith("missing: ")]
    return [*missing, *ended.out.splitlines(), ""][0]


async def served_rows(yizhan: ServedYizhan, some: Sequence[Served]) -> list[tuple[str, int]]:
    """The rows of commands, some at once, since they wait for a server that is away."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(wrong: Served) -> tuple[str, int]:
        async with gate:
            return await yizhan.row(wrong)

    return await asyncio.gather(*map(one, some))


async def served_page() -> str:
    """The second table."""
    with tempfile.TemporaryDirectory() as directory:
        async with served(Path(directory)) as yizhan:
            rows = await served_rows(yizhan, SERVED)
    return HEAD_SERVED + "\n".join(text for text, _ in rows) + "\n"
