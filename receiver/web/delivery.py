"""One request to the URL of a source, however it came in. Plain data, no I/O."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from receiver.observability.spans import StoringSpan

Headers = Sequence[tuple[bytes, bytes]]
_random: Final = random.Random()  # noqa: S311 - an id to find a line by, not a secret


class Delivery:
    """What is known of a request; `answer` is called once, when it is whole.

    Header names are in lower case, `peer` is the address at the other end of the connection,
    `started` is by `time.perf_counter`. Where tracing is on, `id` is that of its trace, too, whose
    `traceparent` it has, and `span` is there if it is sampled.
    """

    __slots__ = (
        "body", "headers", "id", "method", "path_token", "peer", "source_name", "span",
        "started", "traceparent",
    )  # fmt: skip

    def __init__(
        self,
        method: str,
        source_name: str,
        path_token: str | None,
        peer: str | None,
        headers: Headers,
    ) -> None:
        self.method = method
        self.source_name = source_name
        self.path_token = path_token
        self.peer = peer
        self.headers = headers
        self.body = b""
        self.id = f"{_random.getrandbits(128):032x}"
        self.started = time.perf_counter()
        self.traceparent = ""
        self.span: StoringSpan | None = None

    @property
    def duration_ms(self) -> float:
        """How long it has taken so far."""
        return round((time.perf_counter() - self.started) * 1000, 2)

    @property
    def trace_ids(self) -> dict[str, str]:
        """Those for its log line, where tracing is on."""
        text = self.traceparent
        return {"trace_id": text[3:35], "span_id": text[36:52]} if text else {}

    def answer(self, status: int, body: bytes) -> None:
        """Send the answer; nothing happens where the sender is gone."""
        raise NotImplementedError


class FastPath(Protocol):
    """Takes deliveries without a task of their own: the hot path."""

    limit_bytes: int

    def take(self, delivery: Delivery) -> None:
        """Deal with a whole request: it is answered, now or later, whatever happens."""

    def broken_off(self, delivery: Delivery) -> None:
        """Note that the sender closed the connection before its request was whole."""
