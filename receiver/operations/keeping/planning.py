"""Finding what a purge would delete.

Used signatures are never selected: each ends by itself, when it could not be used again.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Scanned
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import ANY, encode_token
from receiver.errors import ConfigurationError
from receiver.operations.keeping.callbacks import CallbacksOf
from receiver.operations.keeping.evidence import Evidence
from receiver.operations.keeping.plan import Kind, PurgePlan
from receiver.operations.look.archive import Archive
from receiver.operations.states import CHANNELS

_OF_ORDERS: Final = frozenset({"order_id", "channel"})
_OF_SOURCES: Final = frozenset({"source", "since", "until"})


def check_purge(filters: Filters, what: Collection[Kind]) -> None:
    """Raise `ConfigurationError` where it would select everything, or what it cannot select."""
    if not filters.given:
        raise ConfigurationError(
            "a purge without a filter would delete everything: give one, such as --order or --until"
        )
    if "state" in what and not _is_order(filters):
        raise ConfigurationError(
            "state is that of an order: give --order, and no filter but --channel beside it"
        )


def _is_order(filters: Filters) -> bool:
    return filters.order_id is not None and set(filters.given) <= _OF_ORDERS


class Planning:
    """Makes one plan of what there is now; `plan` raises what `Reader` raises, and
    `ConfigurationError` for a filter that selects none of a kind.

    Callbacks are selected by source and time, or else as those that the selected events were made
    from. With the events of an order goes what waits for its time because of them.
    """

    def __init__(
        self,
        archive: Archive,
        filters: Filters,
        what: Collection[Kind],
        scanned: Scanned = lambda _: None,
    ) -> None:
        check_purge(filters, what)
        self._archive = archive
        self._filters = filters
        self._what = what
        self._scanned = scanned
        self._plan = PurgePlan()

    async def plan(self) -> PurgePlan:
        """The plan."""
        filters, subjects = self._filters, self._archive.subjects
        by_source = set(filters.given) <= _OF_SOURCES
        if "letters" in self._what:
            await self._add("letters", selection.letters(filters, subjects))
        if "runs" in self._what:
            await self._add("runs", selection.runs(filters, subjects))
        if "callbacks" in self._what and by_source:
            await self._add("callbacks", selection.callbacks(filters, subjects))
        found_by_events = "callbacks" in self._what and not by_source
        if found_by_events or {"events", "state"} & set(self._what):
            await self._of_events(with_callbacks=found_by_events)
        return self._plan

    async def _add(self, kind: Kind, chosen: StreamSelection) -> None:
        part = self._plan.part(kind, chosen.stream)
        reading = self._archive.reader.read(chosen, headers_only=True, scanned=self._scanned)
        async for stored in reading:
            part.add(stored)

    async def _of_events(self, *, with_callbacks: bool) -> None:
        """What the selected events lead to, and themselves where they are asked for."""
        archive, filters, plan = self._archive, self._filters, self._plan
        evidence = Evidence(archive.reader, archive.subjects, await archive.durables())
        chosen = selection.events(filters, archive.subjects)
        if with_callbacks:
            callbacks = CallbacksOf(archive, chosen, plan.part("callbacks", chosen.stream))
            async for event in callbacks.read(self._scanned):
                self._add_event(event, evidence)
            plan.shared, plan.callbacks_missing = callbacks.shared, callbacks.missing
        else:
            in_bulk = filters.order_id is None
            reading = archive.reader.read(chosen, headers_only=in_bulk, scanned=self._scanned)
            async for event in reading:
                self._add_event(event, evidence)
        if "events" in self._what and _is_order(filters):
            await self._add_deferred(evidence)
        await self._of_evidence(evidence)

    def _add_event(self, event: StoredMessage, evidence: Evidence) -> None:
        waiting = evidence.add(event)
        if "events" in self._what:
            self._plan.part("events", self._archive.subjects.stream).add(event)
            self._plan.types[".".join(event.nats_subject.split(".")[3:5])] += 1
            self._plan.unprocessed.update(waiting)

    async def _add_deferred(self, evidence: Evidence) -> None:
        """Copies of the order's events that wait for their time, or are due."""
        subjects, filters = self._archive.subjects, self._filters
        of = f"{filters.channel or ANY}.{encode_token(filters.order_id)}"
        held = f"{subjects.root}.schedules.{ANY}.{ANY}.{of}"
        wanted = [held, f"{held}.{ANY}", f"{subjects.root}.due.{ANY}.{of}"]
        part = self._plan.part("deferred", subjects.stream)
        async for stored in self._archive.reader.read(StreamSelection(subjects.stream, wanted)):
            part.add(stored)
            if stored.headers.get("Nats-Schedule", "").startswith("@at "):
                self._plan.unprocessed[stored.nats_subject.split(".")[3]] += 1
            else:
                self._plan.unprocessed.update(evidence.waiting(stored))

    async def _of_evidence(self, evidence: Evidence) -> None:
        """What is kept of the events: deleted with them, or without evidence from then on."""
        plan, deleted = self._plan, "state" in self._what
        if deleted and self._filters.order_id is not None:
            channels = [self._filters.channel] if self._filters.channel else CHANNELS
            evidence.add_orders(product(channels, [self._filters.order_id]))
        part = plan.part("state", self._archive.subjects.state_stream) if deleted else None
        async for entry in evidence.states():
            if part is not None:
                part.add(entry)
            elif "events" in self._what:
                plan.states_kept += 1
        async for state, entry in evidence.effects():
            plan.effects[state] += 1
            if part is not None:
                part.add(entry)
        if part is not None:
            async for entry in evidence.numbers():
                part.add(entry)
