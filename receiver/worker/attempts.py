"""How often a handler has run an event, and how that ended: attempts are starts, not deliveries.

What waits in a process, is given back by one that stops, or is delivered again for whatever reason,
was not started and counts for nothing. A run that its process did not survive leaves the record of
its start behind, and counts as a death; not where the ledger of effects worked for it just then:
no code of the handler ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from receiver.bus.headers import FAILURES, STARTS
from receiver.bus.worker_records import WorkerRecords
from receiver.errors import BusError

ALONE_AFTER: Final = 2
"""A run that its process did not survive so often is begun once more, with nothing beside it."""
_ALONE: Final = 2
"""So often at most: one such death may have had another cause."""
_EXCUSED: Final = 10
"""So many deaths while the ledger worked count for nothing, and no more: a handler may have left
behind what ends the process later."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Of one handler on one event: runs that began, that failed, that their process did not
    survive, and those of them that are `excused`, since the ledger worked; and when the next one is
    due, in seconds of the epoch, 0 for at once."""

    starts: int = 0
    failures: int = 0
    deaths: int = 0
    due: float = 0.0
    excused: int = 0

    @property
    def alone(self) -> bool:
        """Whether the next run is to be the only one of the handler."""
        return self.deaths >= ALONE_AFTER

    @property
    def kills(self) -> bool:
        """Whether it is certain that the event ends the process that handles it."""
        return self.deaths >= ALONE_AFTER + _ALONE

    def after(self, *, failed: bool, due: float = 0.0) -> Attempts:
        """Once a run has ended, and another is due."""
        return replace(self, starts=self.starts + 1, failures=self.failures + failed, due=due)

    def died(self, *, in_ledger: bool = False) -> Attempts:
        """Once a run was not survived, be it while the ledger worked for it."""
        excused = in_ledger and self.excused < _EXCUSED
        return replace(
            self,
            starts=self.starts + 1,
            deaths=self.deaths + (not excused),
            excused=self.excused + excused,
            due=0.0,
        )

    def plus(self, later: Attempts) -> Attempts:
        """These and later ones."""
        return replace(
            later,
            starts=self.starts + later.starts,
            failures=self.failures + later.failures,
            deaths=self.deaths + later.deaths,
        )

    def headers(self) -> dict[str, str]:
        """For the copy of an event that comes in time."""
        return {STARTS: str(self.starts), FAILURES: str(self.failures)}

    @classmethod
    def of_headers(cls, headers: Mapping[str, str]) -> Attempts:
        """What `headers` gave; none where they are not there or not numbers."""
        try:
            return cls(int(headers.get(STARTS, 0)), int(headers.get(FAILURES, 0)))
        except ValueError:
            return cls()


_NONE: Final = Attempts()
_IN_LEDGER: Final = b" ledger"


class AttemptsLedger:
    """The attempts of one handler on what is not finished yet, kept for whoever runs it next.

    Only its owner writes it: what is not known here after `inherit` has no attempts.
    """

    def __init__(self, records: WorkerRecords, handler: str, worker: str) -> None:
        self._records = records
        self._handler = handler
        self._worker = worker
        self._known: dict[int, Attempts] = {}

    async def inherit(self, lives: Callable[[str], Awaitable[bool]]) -> None:
        """Read what earlier owners left; what those that are gone were running counts as a death.

        Raises `BusError`.
        """
        self._known = {}
        for record in await self._records.all("attempts", self._handler):
            with contextlib.suppress(ValueError, TypeError):
                self._known[int(record.tokens[-1])] = Attempts(**json.loads(record.body))
        left = await self._records.all("starts", self._handler)
        workers = {record.tokens[1] for record in left} - {self._worker}
        gone = {worker for worker in workers if not await lives(worker)}
        dead = [record for record in left if record.tokens[1] in gone]
        await asyncio.gather(*(self._keep(*_death(record.body)) for record in dead))
        for record in dead:
            self._records.forget("starts", *record.tokens)

    def of(self, seq: int, headers: Mapping[str, str]) -> Attempts:
        """The attempts so far on what is stored under `seq`."""
        known = self._known.get(seq)
        if STARTS not in headers:  # as most are: it was never put off
            return known or _NONE
        before = Attempts.of_headers(headers)
        return before if known is None else before.plus(known)

    def begin(self, runs: Iterable[tuple[int, int]]) -> None:
        """Runs are about to begin, each of a sequence in a slot. Their records are with the system
        when this returns: a run may block or end the process at once."""
        with contextlib.suppress(BusError):
            for seq, slot in runs:
                self._records.note(b"%d" % seq, *self._start_of(slot))
            self._records.flush()

    async def begin_surely(self, seq: int, slot: int) -> None:
        """As `begin`, of one run, and its record is stored: what a process wrote last may be lost
        with it."""
        with contextlib.suppress(BusError):
            await self._records.store(b"%d" % seq, *self._start_of(slot))

    def in_ledger(self, seq: int, slot: int) -> None:
        """No code of the handler runs, until `begin_surely`."""
        with contextlib.suppress(BusError):
            self._records.note(b"%d%b" % (seq, _IN_LEDGER), *self._start_of(slot))
            self._records.flush()  # before what is stored next

    async def comes_again(
        self, seq: int, slot: int, *, failed: bool = False, due: float = 0.0
    ) -> None:
        """A run has ended, and its event is to be delivered again: no death, where we die now."""
        await self._keep(seq, lambda known: known.after(failed=failed, due=due))
        with contextlib.suppress(BusError):
            self._records.forget(*self._start_of(slot))
            self._records.flush()  # before the next run of the slot

    def forget(self, seq: int) -> None:
        """The event is finished."""
        if self._known.pop(seq, None) is not None:
            with contextlib.suppress(BusError):
                self._records.forget("attempts", self._handler, str(seq))

    def _start_of(self, slot: int) -> tuple[str, ...]:
        return "starts", self._handler, self._worker, str(slot)

    async def _keep(self, seq: int, change: Callable[[Attempts], Attempts]) -> None:
        """Remember it for the next run, be it in another process, as far as NATS answers."""
        self._known[seq] = change(self._known.get(seq) or Attempts())
        with contextlib.suppress(BusError):
            body = json.dumps(asdict(self._known[seq])).encode()
            await self._records.store(body, "attempts", self._handler, str(seq))


def _death(body: bytes) -> tuple[int, Callable[[Attempts], Attempts]]:
    """The sequence that the record of a start names, and how its death counts."""
    in_ledger = body.endswith(_IN_LEDGER)
    return int(body.removesuffix(_IN_LEDGER)), lambda known: known.died(in_ledger=in_ledger)
