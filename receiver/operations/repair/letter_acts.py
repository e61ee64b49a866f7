"""Giving dead letters back to their handlers, and dropping them.

A letter is given back as a copy of its event that is due now, and then deleted. A process that ends
in between leaves the letter: given back once more within the duplicate window it stores nothing,
later the event is run once more, which the ledger of effects makes harmless. It is never lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from receiver.bus.dead_letters import retried_copy
from receiver.bus.message import OutgoingMessage, StoredMessage
from receiver.bus.patience import PATIENCE_S
from receiver.bus.publish.contract import Publisher, RefusedError, Stored
from receiver.errors import DecodingError
from receiver.operations.patience import delete, publish
from receiver.operations.repair.letters import LetterRef, Letters
from receiver.operations.repair.tally import Progress, Tally
from receiver.worker.replaying.pace import Pace

_AT_ONCE: Final = 64


class LetterActs:
    """Acts on letters. Everything raises `BusError` where NATS is away for `patience_s`; what was
    done until then is in the `Tally` that was given.
    """

    def __init__(
        self, letters: Letters, publisher: Publisher, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._letters = letters
        self._publisher = publisher
        self._patience_s = patience_s

    async def retry(
        self,
        chosen: Sequence[LetterRef],
        tally: Tally,
        progress: Progress = lambda _: None,
        *,
        rate: float = 0,
    ) -> None:
        """Give letters back, in the order of their events; at most `rate` a second, unless 0."""
        async for part in _paced(chosen, Pace(rate, 0, time.monotonic)):
            found = await self._read(part, tally)
            copies = [(one, copy) for one in found if (copy := self._copy(one, tally)) is not None]
            stored = await self._stored(copies, tally)
            await asyncio.gather(*(self._delete(letter.stream_seq) for letter, _ in stored))
            for _, ack in stored:
                tally.counts["taken" if ack.duplicate else "retried"] += 1
            progress(tally.done)

    async def drop(
        self, chosen: Sequence[LetterRef], tally: Tally, progress: Progress = lambda _: None
    ) -> None:
        """Delete letters for good."""
        for part in _parts(chosen):
            for deleted in await asyncio.gather(*(self._delete(ref.seq) for ref in part)):
                tally.counts["dropped" if deleted else "taken"] += 1
            progress(tally.done)

    async def _read(self, part: Sequence[LetterRef], tally: Tally) -> list[StoredMessage]:
        """Those that are still there."""
        reader, stream = self._letters.reader, self._letters.subjects.dead_stream
        found = await asyncio.gather(*(reader.get(stream, ref.seq) for ref in part))
        there = [letter for letter in found if letter is not None]
        tally.counts["taken"] += len(found) - len(there)
        return there

    def _copy(self, letter: StoredMessage, tally: Tally) -> OutgoingMessage | None:
        try:
            return retried_copy(letter, self._letters.subjects)
        except DecodingError as error:
            tally.failed(letter.stream_seq, f"it holds no event: {error}")
        except ValueError as error:
            tally.failed(letter.stream_seq, str(error))
        return None

    async def _stored(
        self, copies: Sequence[tuple[StoredMessage, OutgoingMessage]], tally: Tally
    ) -> list[tuple[StoredMessage, Stored]]:
        """What was stored, in order; together, or one by one where one of them is refused."""
        letters = [letter for letter, _ in copies]
        try:
            messages = [copy for _, copy in copies]
            stored = await publish(self._publisher, messages, self._patience_s) if messages else ()
            return list(zip(letters, stored, strict=True))
        except RefusedError as error:
            if len(copies) == 1:
                tally.failed(letters[0].stream_seq, str(error))
                return []
        return [pair for one in copies for pair in await self._stored([one], tally)]

    async def _delete(self, seq: int) -> bool:
        """Whether it was there. It is not erased on the disk: the event holds the same."""
        letters = self._letters
        stream = letters.subjects.dead_stream
        return await delete(letters.connection, stream, seq, self._patience_s, erase=False)


async def _paced(chosen: Sequence[LetterRef], pace: Pace) -> AsyncIterator[Sequence[LetterRef]]:
    start = 0
    while start < len(chosen):
        if count := pace.take(min(_AT_ONCE, len(chosen) - start)):
            yield chosen[start : start + count]
            start += count
        else:
            await asyncio.sleep(pace.wait_s())


def _parts(chosen: Sequence[LetterRef]) -> Iterator[Sequence[LetterRef]]:
    for start in range(0, len(chosen), _AT_ONCE):
        yield chosen[start : start + _AT_ONCE]
