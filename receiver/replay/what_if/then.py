"""What a run did then: its record, with the events and the effects that it names."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from receiver.bus.codec import decode_event
from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.state.keys import effect_key
from receiver.errors import DecodingError
from receiver.replay.what_if.answers import called
from receiver.replay.what_if.past import Past, PastRun
from receiver.replay.what_if.results import Did, Made, Ran
from receiver.worker.effects.states import EffectRecord, read_record

_TYPE_PREFIX: Final = "yizhan."
RAN: Final = frozenset({"claimed", "done", "in_doubt"})
"""The states of an effect whose body ran, as far as is known."""
_LATE: Final = timedelta(seconds=1)
"""So much after the run's end what became of an effect may be stored."""


async def did_then(
    past: Past, handlers: Sequence[str], message: StoredMessage, run: PastRun, now: Ran
) -> Did:
    """What a recorded run on an event did; raises `BusError`.

    An event that it published is looked for in the order of its cause, and in the orders of what is
    published now.
    """
    made = await _published(past, message, run, now.did)
    effects = await _effects(past, handlers, message, now.effects)
    return Did(
        outcome=run.outcome,
        at=run.started_at,
        attempt=run.attempt,
        error_digest=run.error_digest,
        published=[made.get(event_id, Made()) for event_id in run.published],
        published_count=run.published_count,
        calls=[called(row) for row in run.api],
        calls_count=run.api_count,
        effects=sorted(effect.name for effect in effects if ran_in(effect, run)),
    )


def ran_in(effect: EffectRecord, run: PastRun) -> bool:
    """Whether the body of an effect ran in a run."""
    return (
        effect.event_id == run.event_id
        and effect.state in RAN
        and run.started_at <= effect.at <= run.ended_at + _LATE
    )


def made_of(stored: StoredMessage) -> Made:
    """An event that was published; one that this version cannot read, as it is stored."""
    headers = stored.headers
    order_id = decode_header(headers.get("ce-subject", "")) or None
    try:
        event = decode_event(headers, stored.body)
        return Made(event.event_type, order_id, event.data.model_dump(mode="json"))
    except DecodingError:
        event_type = headers.get("ce-type", "").removeprefix(_TYPE_PREFIX).rpartition(".")[0]
        return Made(event_type or None, order_id, _json(stored.body))


async def _effects(
    past: Past, handlers: Sequence[str], message: StoredMessage, now: Sequence[EffectRecord]
) -> Sequence[EffectRecord]:
    """Those for the event's fact; of those under keys of the handler's own the ones of now."""
    fact = message.headers.get("ce-factid", "")
    found = [one for handler in handlers for one in await past.effects(handler, fact)]
    for effect in now:
        value = (
            None
            if effect.fact == fact
            else await past.effect(effect_key(effect.handler, effect.fact, effect.name))
        )
        with contextlib.suppress(DecodingError):
            found += [read_record(value)] if value else []
    return found


async def _published(
    past: Past, message: StoredMessage, run: PastRun, now: Did
) -> Mapping[str, Made]:
    wanted = set(run.published)
    if not wanted:
        return {}
    channel = message.headers.get("ce-channel", "")
    order_id = decode_header(message.headers.get("ce-subject", ""))
    others = [(m.data.get("channel", ""), m.order_id) for m in now.published if m.order_id]
    found: dict[str, Made] = {}
    for place in dict.fromkeys([(channel, order_id), *others]):
        if wanted <= found.keys():
            break
        events = await past.events(*place) if place[1] else await past.behind(message)
        found |= _by_id(events, wanted)
    return found


def _by_id(events: Iterable[StoredMessage], wanted: set[str]) -> Mapping[str, Made]:
    by_id = ((decode_header(one.headers.get("ce-id", "")), one) for one in events)
    return {event_id: made_of(one) for event_id, one in by_id if event_id in wanted}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
