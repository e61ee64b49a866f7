"""What a replay would do to a handler: which of its effects would happen, by the ledger.

The names of a handler's effects are learnt from what it ever claimed. An effect under a key of the
handler's own, not the fact's, is not foreseen; nor whether a run would ask for it at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from receiver.bus.codec import decode_event
from receiver.bus.jetstream_api import call
from receiver.bus.message import StoredMessage
from receiver.bus.read.history import opened_history
from receiver.bus.read.reader import Reader, Scanned
from receiver.bus.state.keys import effect_key, key_token
from receiver.bus.subjects import decode_token
from receiver.errors import DecodingError
from receiver.worker.effects.states import read_record
from receiver.worker.replaying.frozen import Frozen
from receiver.worker.replaying.record import HANDLER, ReplayRecord
from receiver.worker.replaying.store import Replays

_AT_ONCE: Final = 1_000
_FACT_CHARS: Final = 32


async def forecast(
    record: ReplayRecord, replays: Replays, scanned: Scanned = lambda _: None
) -> list[dict[str, Any]]:
    """For each handler: how many events it would run, how many cannot be read, and of each effect
    how often it would happen (`fires`), is `suppressed`, or is `in_doubt`. Raises `BusError`.
    """
    return [await _Forecast(record, name, replays).made(scanned) for name in record.handlers]


class _Forecast:
    """Of one handler."""

    def __init__(self, record: ReplayRecord, handler: str, replays: Replays) -> None:
        self._record = record
        self._handler = handler
        self._replays = replays
        self._reader = Reader(replays.connection)
        self._keys: frozenset[str] | None = frozenset()
        self._names: Sequence[str] = ()
        self._own_keys: Sequence[str] = ()
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    async def made(self, scanned: Scanned) -> dict[str, Any]:
        """Read every selected event once, without its body where its fact is in its headers."""
        await self._learn()
        run = unreadable = looked = 0
        facts: list[str] = []
        frozen = Frozen.of(self._record, f"{HANDLER}{self._handler}", self._replays.subjects)
        connection, stream = self._replays.connection, self._replays.subjects.stream
        if self._record.count:
            async with opened_history(
                connection, stream, frozen.span, headers_only=True
            ) as history:
                async for stored in history.read():
                    looked += 1
                    scanned(looked)
                    if not frozen.keeps(stored):
                        continue
                    run += 1
                    if (fact := await self._fact(stored)) is None:
                        unreadable += 1
                    else:
                        facts.append(fact)
                    if len(facts) >= _AT_ONCE:
                        await self._look_up(facts)
                        facts = []
        await self._look_up(facts)
        return {
            "handler": self._handler,
            "would_run": run,
            "unreadable": unreadable,
            "effects": [{"effect": name, **self._document(name)} for name in self._names],
            "not_foreseen": list(self._own_keys),
        }

    def _document(self, name: str) -> dict[str, int]:
        counted = self._counts[name]
        return {word: counted[word] for word in ("fires", "suppressed", "in_doubt")}

    async def _learn(self) -> None:
        """The names of effects, and the keys that there are, where these are not too many."""
        subjects = self._replays.subjects
        prefix = subjects.state(f"effect.{key_token(self._handler)}.")
        asked = {"subjects_filter": f"{prefix}>"}
        client = self._replays.connection.client
        info = await call(client, f"STREAM.INFO.{subjects.state_stream}", asked)
        found = (info.get("state") or {}).get("subjects") or {}
        whole = len(found) >= info.get("total", 0)
        tokens = [subject.removeprefix(prefix).split(".") for subject in found]
        of_facts = {name for fact, name, *_ in tokens if len(fact) == _FACT_CHARS}
        named = {name for _, name, *_ in tokens}
        self._keys = frozenset(found) if whole else None
        self._names = sorted(map(_text, of_facts))
        self._own_keys = sorted(map(_text, named - of_facts))

    async def _fact(self, stored: StoredMessage) -> str | None:
        """The fact id of an event; None where it cannot be read."""
        if fact := stored.headers.get("ce-factid"):
            return fact
        whole = await self._reader.get(self._replays.subjects.stream, stored.stream_seq)
        try:
            return decode_event(whole.headers, whole.body).fact_id if whole else None
        except DecodingError:
            return None

    async def _look_up(self, facts: Sequence[str]) -> None:
        """A fact that comes more than once has its effects once."""
        for name in self._names:
            counted = self._counts[name]
            if self._record.forced:
                counted["fires"] += len(set(facts))
                continue
            keys = {fact: self._replays.subjects.state(self._key(fact, name)) for fact in facts}
            states = await self._states(list(dict.fromkeys(keys.values())))
            fired: set[str] = set()
            for fact in facts:
                word = _WORDS.get(states.get(keys[fact], ""), "fires")
                if word == "fires" and fact in fired:
                    word = "suppressed"
                fired.add(fact)
                counted[word] += 1

    def _key(self, fact: str, name: str) -> str:
        return effect_key(self._handler, fact, name)

    async def _states(self, subjects: Sequence[str]) -> Mapping[str, str]:
        wanted = [one for one in subjects if self._keys is None or one in self._keys]
        stream = self._replays.subjects.state_stream
        found = await self._reader.last(stream, wanted) if wanted else ()
        return {one.nats_subject: _state(one) for one in found}


_WORDS: Final = {
    "over": "suppressed",
    "claimed": "in_doubt",
    "in_doubt": "in_doubt",
}
"""By the state of an entry; any other has not happened."""


def _state(stored: StoredMessage) -> str:
    try:
        record = read_record(stored.body)
    except DecodingError:
        return "in_doubt"
    return "over" if record.is_over else record.state


def _text(token: str) -> str:
    return decode_token(token.replace("=", "%")) or ""
