"""A replay to subjects or to a file: this process gives the events."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import typer
from rich.console import Console

from receiver.cli.process import EXIT_FAILED, EXIT_PARTLY
from receiver.cli.replay.targets import file_sink
from receiver.composition.replays import ReplayDesk
from receiver.operations.selecting import named
from receiver.replay.replay import PATIENCE_S, Summary
from receiver.replay.replay import replay as give_all
from receiver.replay.resumed import Resumed
from receiver.replay.sinks.file import FileSink
from receiver.replay.sinks.subject import SubjectSink
from receiver.worker.replaying.frozen import Frozen
from receiver.worker.replaying.pace import Pace
from receiver.worker.replaying.record import SUBJECT, ReplayRecord


class ToSink:
    """Of one replay, to one target; a file is open for as long as the block."""

    def __init__(self, desk: ReplayDesk, record: ReplayRecord, *, force: bool) -> None:
        self._summary = Summary(selected=record.count)
        self._desk = desk
        self._record = record
        self._target = record.targets[0]
        self._resources = contextlib.AsyncExitStack()
        self._sink: FileSink | SubjectSink
        if self._target.startswith(SUBJECT):
            prefix, bus = self._target.removeprefix(SUBJECT), desk.bus
            self._sink = SubjectSink(bus.connection, bus.subjects, prefix, record.marks())
        else:
            self._sink = file_sink(self._target, force=force)

    async def __aenter__(self) -> Self:
        with named("--to"):
            if isinstance(self._sink, SubjectSink):
                await self._sink.check()
            else:
                self._resources.enter_context(self._sink)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._resources.__aexit__(exc_type, exc, traceback)

    @property
    def numbers(self) -> dict[str, int]:
        """What became of the events."""
        return self._summary.numbers

    async def run(self, show: Callable[[int, int, str], None]) -> bool:
        """Give everything, and True; raises `BusError`."""
        record, bus = self._record, self._desk.bus
        if not record.count:
            return True
        frozen = Frozen.of(record, self._target, bus.subjects)
        pace = Pace(record.rate, record.ramp_s, time.monotonic)

        def progress(so_far: Summary) -> None:
            show(so_far.done, record.count, "")

        if isinstance(self._sink, SubjectSink):
            await Resumed(
                bus.connection,
                record.consumer(self._target, bus.subjects.stream),
                frozen,
                self._sink,
                summary=self._summary,
                progress=progress,
                pace=pace,
            ).run()
            return True
        await give_all(
            bus.connection,
            bus.subjects.stream,
            frozen,
            self._sink,
            summary=self._summary,
            progress=progress,
            pace=pace if record.rate else None,
            patience_s=PATIENCE_S,
        )
        return True

    async def say(self, console: Console, *, as_json: bool) -> int:
        """What became of it; the exit code."""
        summary = self._summary
        if as_json and not self._is_stdout:
            found = {"name": self._record.name, **summary.numbers, "reasons": summary.failures}
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            console.print(
                f"{summary.delivered} delivered, {summary.failed} failed, "
                f"{summary.undecodable} not decodable, of {summary.selected} selected, "
                f"in {summary.duration_s:.1f} s"
            )
        for failure in summary.failures:
            console.print(f"  {failure}", markup=False)
        sys.stdout.flush()
        if not (summary.failed or summary.undecodable):
            return 0
        return EXIT_PARTLY if summary.delivered else EXIT_FAILED

    @property
    def _is_stdout(self) -> bool:
        return self._target == "file:-"
