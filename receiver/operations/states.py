"""What operators see of the states of orders, and their rebuild from the log; nothing prints."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, NamedTuple

from pydantic import ValidationError

from receiver.bus.connection import Connection
from receiver.bus.read.order_log import OrderLog
from receiver.bus.state.keys import order_key
from receiver.bus.state.numbers import NumberOfOrder, keep
from receiver.bus.state.store import StateConflictError, StateStore
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.operations.audit_trail import AuditTrail
from receiver.projection.state import OrderState
from receiver.worker.order_states import OrderStates
from schemas.statuses import Channel

CHANNELS: Final[tuple[Channel, ...]] = ("1688", "taobao", "unknown")
_AT_ONCE: Final = 16
_MAX_TRIES: Final = 20
Verdict = Literal["same", "new", "changed", "older"]
"""What an entry is beside the log: the same, missing, otherwise, or of more than the log has."""


class Rebuilt(NamedTuple):
    """What was found of one order; `differs` names the fields in which its entry did, `numbers` is
    how many of its numbers the index did not hold.
    """

    channel: Channel
    order_id: str
    verdict: Verdict
    differs: Sequence[str] = ()
    numbers: int = 0


@dataclass(frozen=True, slots=True)
class StateOperations:
    """Everything raises `BusError` where NATS does not answer."""

    log: OrderLog
    store: StateStore
    states: OrderStates
    trail_of: Callable[[str], AuditTrail]
    """What records the acts of an operator."""

    @classmethod
    def of(cls, connection: Connection, subjects: Subjects) -> StateOperations:
        """Those of one subject root."""
        log, store = OrderLog(connection, subjects), StateStore(connection, subjects)
        trail_of = partial(AuditTrail, connection, subjects)
        return cls(log, store, OrderStates(store, log), trail_of)

    async def show(self, order_id: str, channel: Channel | None) -> Sequence[OrderState]:
        """What is known of an order, on each channel that has it; nothing is written."""
        wanted = (channel,) if channel else CHANNELS
        found = [await self.states.peek(one, order_id) for one in wanted]
        return [state for state in found if state.events]

    async def rebuild(self, *, dry_run: bool) -> AsyncIterator[Rebuilt]:
        """Fold every order of the log anew and write what differs, but in a `dry_run`; likewise the
        index of numbers.

        What handlers write meanwhile stays. An entry that is only behind the log does not differ.
        """
        orders = await self.log.orders()
        for start in range(0, len(orders), _AT_ONCE):
            some = orders[start : start + _AT_ONCE]
            for rebuilt in await asyncio.gather(
                *(self._one(channel, order_id, dry_run=dry_run) for channel, order_id in some)
            ):
                yield rebuilt

    async def _one(self, name: str, order_id: str, *, dry_run: bool) -> Rebuilt:
        channel: Channel = name if name in CHANNELS else "unknown"
        key, numbers = order_key(channel, order_id), 0
        for _ in range(_MAX_TRIES):
            entry = await self.store.get(key)
            before = _read(entry.value)
            logged = await self.states.from_log(channel, order_id, before.seq if before else None)
            numbers += await self._index(logged.numbers, dry_run=dry_run)
            if before is not None and logged.state.to_json() == entry.value:
                return Rebuilt(channel, order_id, "same", numbers=numbers)
            if before is not None and logged.state.events < before.events:
                return Rebuilt(channel, order_id, "older", numbers=numbers)
            if before is not None:
                logged = await self.states.from_log(channel, order_id, None)
            verdict: Verdict = "new" if entry.value is None else "changed"
            differs = _differing(before, logged.state)
            if dry_run:
                return Rebuilt(channel, order_id, verdict, differs, numbers)
            with contextlib.suppress(StateConflictError):
                numbers += await self._index(logged.numbers, dry_run=False)
                await self.store.put(key, logged.state.to_json(), entry.revision)
                return Rebuilt(channel, order_id, verdict, differs, numbers)
        raise BusError(f"others keep changing the state of the order {order_id}")

    async def _index(self, numbers: Collection[NumberOfOrder], *, dry_run: bool) -> int:
        """How many the index did not hold; it does then, but in a `dry_run`."""
        if dry_run:
            found = await asyncio.gather(*(self.store.get(one.key) for one in numbers))
            return sum(e.value != n.to_json() for e, n in zip(found, numbers, strict=True))
        return sum(await asyncio.gather(*(keep(self.store, one) for one in numbers)))


def _read(value: bytes | None) -> OrderState | None:
    try:
        return None if value is None else OrderState.from_json(value)
    except ValidationError:
        return None


def _differing(before: OrderState | None, after: OrderState) -> Sequence[str]:
    if before is None:
        return ()
    return [
        name for name in OrderState.model_fields if getattr(before, name) != getattr(after, name)
    ]
