"""Whose code a run is in, kept with the record of its start: the handler's, or that of the ledger
of effects, where it is hardly the handler that ends the process.

Of a run whose event was not survived before: each change costs a record.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from receiver.worker.attempts import AttemptsLedger


@dataclass(frozen=True, slots=True)
class RunStart:
    """The record of one run."""

    ledger: AttemptsLedger
    seq: int
    slot: int

    def watch(self) -> None:
        """Keep it true in this task, and in those that it begins."""
        _START.set(self)

    async def say(self, *, in_ledger: bool) -> None:
        """Whose code runs from now on."""
        if in_ledger:
            self.ledger.in_ledger(self.seq, self.slot)
        else:
            await self.ledger.begin_surely(self.seq, self.slot)


_START: Final = ContextVar[RunStart | None]("run_start", default=None)


@contextlib.asynccontextmanager
async def in_ledger(*, still: bool = True) -> AsyncIterator[None]:
    """In the block the ledger works for the run; or, where it does not `still`, the handler within
    the ledger."""
    start = _START.get()
    if start is None:
        yield
        return
    await start.say(in_ledger=still)
    try:
        yield
    finally:
        await start.say(in_ledger=not still)
