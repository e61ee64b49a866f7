"""Acknowledging until the server has answered: one that is lost would have an event run again.

What is acknowledged is remembered: where it is delivered once more, it is acknowledged once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nats.errors import Error as NatsError

from receiver.bounded_cache import BoundedCache
from receiver.bus.client import PipeliningClient
from receiver.bus.connection import Connection
from receiver.errors import BusError

AGAIN_S: Final = 0.5
_REMEMBERED: Final = 20_000
_TRIES: Final = 120
"""After a minute the server has delivered it again, under another subject."""


@dataclass(slots=True)
class _Sent:
    subject: str
    word: bytes
    at: float
    tries: int = 1
    reply: bytes = b""
    client: PipeliningClient | None = None


class Acknowledgements:
    """Of one durable, by sequence in the stream. `repeat` wants to be called every `AGAIN_S`."""

    def __init__(self, connection: Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock
        self._finished: BoundedCache[bytes] = BoundedCache(_REMEMBERED)
        self._unanswered: dict[int, _Sent] = {}

    def __contains__(self, seq: object) -> bool:
        """Whether this process is done with a sequence."""
        return bool(self._finished.get(str(seq)))

    @property
    def unanswered(self) -> int:
        """How many the server has not answered yet, as far as is known here."""
        return len(self._unanswered)

    def send(self, seq: int, subject: str, word: bytes = b"+ACK") -> None:
        """Acknowledge a delivery, now and again until it is answered."""
        self._finished.put(str(seq), word)
        sent = self._unanswered[seq] = _Sent(subject, word, self._clock())
        self._write(seq, sent)

    def forget(self, seq: int) -> None:
        """It is to be run anew."""
        self._finished.put(str(seq), b"")

    def again(self, seq: int, subject: str) -> None:
        """It was delivered once more."""
        self.send(seq, subject, self._finished.get(str(seq)) or b"+ACK")

    def repeat(self) -> None:
        """Send again what was not answered in time."""
        now = self._clock()
        for seq, sent in list(self._unanswered.items()):
            if sent.tries > _TRIES:
                del self._unanswered[seq]
            elif now - sent.at >= AGAIN_S:
                sent.at, sent.tries = now, sent.tries + 1
                self._write(seq, sent)

    def _write(self, seq: int, sent: _Sent) -> None:
        try:
            client = self._connection.client
            if sent.client is not None:
                sent.client.forget(sent.reply)
            sent.client = client
            sent.reply = client.expect(
                lambda _: self._answered(seq, sent), on_no_responders=_not_yet
            )
            client.write_soon(
                b"PUB %b %b %d\r\n%b\r\n"
                % (sent.subject.encode(), sent.reply, len(sent.word), sent.word)
            )
        except (BusError, NatsError):
            return  # and again, until NATS is back

    def _answered(self, seq: int, sent: _Sent) -> None:
        if self._unanswered.get(seq) is sent:
            del self._unanswered[seq]


def _not_yet() -> None:
    """No server leads the durable now: it is sent again."""
