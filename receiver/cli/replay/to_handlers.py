"""A replay to handlers: the workers run it, or this process where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Final, Self

import typer
from rich.console import Console

from receiver.cli.process import EXIT_FAILED, EXIT_PARTLY
from receiver.cli.replay.report_text import report_lines
from receiver.composition.bus import opened_bus
from receiver.composition.replays import ReplayDesk
from receiver.composition.worker import running_worker
from receiver.operations.replaying import ReplayWatch, Standing
from receiver.replay.report import HandlerReport, report_of
from receiver.worker.replaying.record import ReplayRecord
from receiver.worker.routing import Handler

_TRIES: Final = 15
_AGAIN_S: Final = 0.2
"""The records of the last runs are stored a moment later."""


class ToHandlers:
    """Of one replay."""

    def __init__(self, desk: ReplayDesk, record: ReplayRecord, handlers: Sequence[Handler]) -> None:
        self.numbers: dict[str, int] = {}
        self._desk = desk
        self._record = record
        self._handlers = handlers
        self._done = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """There is nothing to close."""

    async def run(self, show: Callable[[int, int, str], None]) -> bool:
        """See it to its end; whether all was given. Raises `BusError`."""
        if not self._record.count:
            return True

        def progress(now: Standing) -> None:
            show(now.done, now.total, now.waits)

        watch = ReplayWatch(
            self._desk.runs,
            self._record,
            self._guest,
            say=lambda text: typer.echo(text, err=True),
        )
        self._done = (await watch.run(progress)).state == "finished"
        return self._done

    async def say(self, console: Console, *, as_json: bool) -> int:
        """What became of it; the exit code."""
        reports = await self._reports()
        self.numbers = {
            "replayed": sum(one.replayed for one in reports),
            "succeeded": sum(one.succeeded for one in reports),
            "failed": sum(one.failures for one in reports),
        }
        if as_json:
            found = {"name": self._record.name, "handlers": [one.document() for one in reports]}
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            for line in report_lines(reports):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        if not self.numbers["failed"]:
            return 0
        return EXIT_PARTLY if self.numbers["succeeded"] else EXIT_FAILED

    async def _reports(self) -> list[HandlerReport]:
        record = await self._desk.runs.of(self._record.name)
        reports = await report_of(record, self._desk.replays)
        for _ in range(_TRIES if self._done else 0):
            if sum(one.replayed for one in reports) >= self._record.count:
                break
            await asyncio.sleep(_AGAIN_S)
            reports = await report_of(record, self._desk.replays)
        return reports

    @contextlib.asynccontextmanager
    async def _guest(self, names: Sequence[str]) -> AsyncIterator[str]:
        """On a connection of its own: with that what it answers others ends, as a worker's does."""
        handlers = [handler for handler in self._handlers if handler.name in names]
        settings = self._desk.settings
        async with (
            opened_bus(settings, name="yizhan-replay-guest") as bus,
            running_worker(settings, bus, handlers=handlers, guest=True) as worker,
        ):
            yield worker.name
