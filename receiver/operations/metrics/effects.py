"""How many effects are in each state, without reading all of them for each page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import ANY, Subjects
from receiver.observability.figures import Figures
from receiver.observability.metric_row import EFFECT_STATES
from receiver.operations.look.documents import effect_document

_DONE = "done"


class EffectStates:
    """Reads each entry once, and again those whose state may change; those that are done, which
    are most, are counted by the server.
    """

    def __init__(self, reader: Reader, subjects: Subjects) -> None:
        self._reader = reader
        self._subjects = subjects
        self._seen = 0
        self._open: dict[str, str] = {}
        self._handlers: set[str] = set()

    async def figures(self) -> Figures:
        """As they are now; raises what `Reader` raises."""
        figures, stream = Figures(), self._subjects.state_stream
        if await self._reader.info(stream) is None:
            return figures
        await self._read_new()
        await self._read_open()
        counts = Counter((_handler(subject), state) for subject, state in self._open.items())
        for handler in self._handlers:
            of = self._subjects.state(f"effect.{handler}.{ANY}.{ANY}")
            held = await self._reader.count(StreamSelection(stream, [of]))
            others = sum(count for (name, _), count in counts.items() if name == handler)
            counts[handler, _DONE] = max(0, held - others)
        for (handler, state), count in counts.items():
            figures.gauge("yizhan_effects", handler, state, value=count)
        return figures

    async def _read_new(self) -> None:
        """What was written since the last page."""
        every = [self._subjects.state(f"effect.{ANY}.{ANY}.{ANY}")]
        chosen = StreamSelection(self._subjects.state_stream, every)
        async for entry in self._reader.read(chosen, after_seq=self._seen):
            self._seen = entry.stream_seq
            self._handlers.add(_handler(entry.nats_subject))
            self._note([entry])

    async def _read_open(self) -> None:
        """What is not done may have expired or been deleted meanwhile."""
        before = list(self._open)
        found = await self._reader.last(self._subjects.state_stream, before) if before else ()
        self._open.clear()
        self._note(found)

    def _note(self, entries: Iterable[StoredMessage]) -> None:
        for entry in entries:
            state = str((effect_document(entry) or {}).get("state"))
            if state in EFFECT_STATES and state != _DONE:
                self._open[entry.nats_subject] = state
            else:
                self._open.pop(entry.nats_subject, None)


def _handler(subject: str) -> str:
    return subject.split(".")[3]
