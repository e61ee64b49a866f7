"""A replay at the parser: stored callbacks read again, and only what is new of them stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Final, Self

import typer
from rich.console import Console

from receiver.bus.message import StoredMessage
from receiver.bus.read.history import Span, opened_history
from receiver.cli.process import EXIT_PARTLY
from receiver.composition.operations import comparing
from receiver.composition.replays import ReplayDesk
from receiver.operations.repair.comparing import Compared
from receiver.worker.replaying.record import REPARSE, ReplayRecord

_BATCH: Final = 100


class ToReparse:
    """Of one replay. An interrupted one begins anew: what is stored is not stored again."""

    def __init__(self, desk: ReplayDesk, record: ReplayRecord, *, dry: bool = False) -> None:
        self.compared = Compared()
        self._desk = desk
        self._record = record
        self._dry = dry

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """There is nothing to close."""

    @property
    def numbers(self) -> dict[str, int]:
        """What became of the callbacks, and of their facts."""
        return {**self.compared.findings.numbers, **self.compared.facts}

    async def run(self, show: Callable[[int, int, str], None]) -> bool:
        """Read every callback, and True; raises `BusError`."""
        reading = comparing(self._desk.settings, self._desk.bus)
        batch: list[StoredMessage] = []
        async for raw in self._callbacks():
            batch.append(raw)
            if len(batch) == _BATCH:
                await reading.read(batch, self.compared, dry=self._dry)
                show(self.compared.done, self._record.count, "")
                batch = []
        await reading.read(batch, self.compared, dry=self._dry)
        return True

    async def say(self, console: Console, *, as_json: bool) -> int:
        """What became of it; the exit code."""
        if as_json:
            found = {"name": self._record.name, **self.compared.document()}
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            for line in reparse_lines(self.compared.document()):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        return EXIT_PARTLY if self.compared.findings.reasons else 0

    async def _callbacks(self) -> AsyncIterator[StoredMessage]:
        record, bus = self._record, self._desk.bus
        if not record.count:
            return
        subjects = record.nats_subjects[REPARSE]
        span = Span(subjects, first_seq=record.first_seq, last_seq=record.last_seq)
        async with opened_history(bus.connection, bus.subjects.stream, span) as history:
            async for raw in history.read():
                yield raw


def reparse_lines(found: dict[str, Any]) -> Iterator[str]:
    """What reading again comes to."""
    new = sum(found["new"].values())
    yield (
        f"  facts: {found['same']:,} the same, {found['changed']:,} changed, {new:,} new, "
        f"{found['gone']:,} gone"
    )
    yield from (f"    {count:,} {name}" for name, count in sorted(found["new"].items()))
    yield from (f"    changed {line}" for line in found["changes"])
    yield from (f"    {line}" for line in found["reasons"])
