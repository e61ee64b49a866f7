"""A NATS client with a short way out for many messages and a short way in for their answers.

The library's own way costs a task and several turns of the event loop for each message: too much
for the hot path. What is used of it here is no public interface: its version is pinned, and
`tests/bus/test_client.py` covers each part.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError

from receiver.resilience.cancellation import cancel_all, within

OnAnswer = Callable[[bytes], None]
"""Takes the body of an answer; it is empty where the subject has no subscriber."""
OnNoResponders = Callable[[], None]
_CLOSE_S: Final = 1.0
_MAX_NAME: Final = 64
"""Longer names of headers are not remembered."""
_WHITE_SPACE: Final = " \t\n\r\x0b\x0c"
HANG_UP_S: Final = 0.1
"""What the tasks of a connection that was dropped may take to end."""


class PipeliningClient(Client):
    """`nats.aio.client.Client`, and beside it `write`, `write_soon`, `expect`, `forget`,
    `round_trip` and `abort`.

    `listen` once after connecting; a reconnect keeps it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._expected: dict[bytes, tuple[OnAnswer, OnNoResponders | None]] = {}
        self._answers_sid = -1
        self._inbox = b""
        self._count = 0
        self._soon: list[bytes] = []
        self._soon_count = 0

    @property
    def is_clustered(self) -> bool:
        """Whether the connected server is one of a cluster, by its own word."""
        return bool(self._server_info.get("cluster"))

    @property
    def has_jetstream(self) -> bool:
        """Whether JetStream runs on the connected server, by its own word."""
        return bool(self._server_info.get("jetstream"))

    @property
    def server_id(self) -> str:
        """The connected server's id, which it makes anew at each of its starts."""
        return str(self._server_info.get("server_id", ""))

    @property
    def server_version(self) -> tuple[int, int]:
        """The connected server's version, major and minor; zeros where it names none."""
        match = re.match(r"v?(\d+)\.(\d+)", self.server_release)
        return (int(match[1]), int(match[2])) if match else (0, 0)

    @property
    def server_release(self) -> str:
        """The connected server's version as it says it; empty where it names none."""
        return str(self._server_info.get("version", ""))

    async def listen(self) -> None:
        """Begin to receive answers; raises the library's errors."""
        inbox = self.new_inbox()
        subscription = await self.subscribe(f"{inbox}.*")
        self._answers_sid = subscription._id  # noqa: SLF001 - it has no public one
        self._inbox = f"{inbox}.".encode()

    def expect(
        self, on_answer: OnAnswer, *, on_no_responders: OnNoResponders | None = None
    ) -> bytes:
        """A subject for one answer; `on_answer` is called when it comes, from within the reading
        of the connection. Where the subject has no subscriber, `on_no_responders` is called in its
        place: for answers that are empty by themselves.
        """
        self._count += 1
        token = b"%d" % self._count
        self._expected[token] = on_answer, on_no_responders
        return self._inbox + token

    def forget(self, reply: bytes) -> None:
        """Wait no more for the answer to a subject of `expect`."""
        self._expected.pop(reply[len(self._inbox) :], None)

    def write(self, commands: bytes) -> None:
        """Send whole protocol lines, behind what waits to be sent.

        Raises `ConnectionClosedError` where the connection is not there: nothing is kept for later.
        """
        if not self.is_connected or self._transport is None:
            raise ConnectionClosedError
        try:
            if self._pending or self._soon:
                waiting = [*self._pending, *self._soon]
                self._pending, self._soon = [], []
                self._soon_count += 1
                self._pending_data_size = 0
                self._transport.writelines([*waiting, commands])
            else:
                self._transport.write(commands)
        except RuntimeError as error:  # uvloop's, for a socket that was lost within this turn
            raise ConnectionClosedError from error

    def write_soon(self, commands: bytes) -> None:
        """As `write`, in the next turn of the event loop: what many callers write until then, and
        what follows from it, is one system call. It may be lost with the connection.
        """
        if not self.is_connected or self._transport is None:
            raise ConnectionClosedError
        if not self._soon:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._write_now, self._soon_count)
        self._soon.append(commands)

    def _write_now(self, count: int) -> None:
        if count != self._soon_count:
            return  # it was written meanwhile, and what waits now has a turn of its own
        with contextlib.suppress(ConnectionClosedError):
            self.write(b"")
        self._soon.clear()

    def abort(self) -> set[asyncio.Task[Any]]:
        """Drop the connection at once, with what is still buffered; gives the tasks that are left,
        to be cancelled until they have ended.

        A `close` cancels each of them once, and may wait for a server that reads nothing.
        """
        self._status = Client.CLOSED  # or the end of the connection would begin a new one
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()
        tasks = (
            self._reading_task,
            self._ping_interval_task,
            self._flusher_task,
            self._reconnection_task,
        )
        return {task for task in tasks if task is not None and not task.done()}

    async def round_trip(self, *, timeout_s: float) -> None:
        """Return once the server has dealt with all that was written; raises the library's errors.

        In place of `flush`: where that gives up, the PONG that comes late ends the reading.
        """
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.write(b"")  # what waits to be sent: a PING of the library would overtake it
        self._pongs.append(pong)
        self.write(b"PING\r\n")
        done, _ = await asyncio.wait({pong}, timeout=timeout_s)
        if not done or pong.cancelled():
            raise NatsTimeoutError

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """As the library, which looks at each character of each name of each message."""
        found: dict[str, str] = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            key = _header_name(name) if len(name) < _MAX_NAME else _header_name.__wrapped__(name)
            if colon and key is not None:
                found[key] = value.strip(_WHITE_SPACE)
        return found

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        if sid != self._answers_sid:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        on_answer, on_no_responders = self._expected.pop(subject[len(self._inbox) :], (None, None))
        if on_no_responders is not None and headers:
            on_no_responders()
        elif on_answer is not None:
            on_answer(data)


@lru_cache(maxsize=1024)
def _header_name(text: str) -> str | None:
    """The name before the colon of a header line; None where it is none."""
    name = text.strip(_WHITE_SPACE)
    odd = not name.isascii() or any(character.isspace() for character in name)
    return None if odd else name


async def hang_up(client: PipeliningClient, *, within_s: float) -> None:
    """End a connection for good, be the server there, away or frozen; twice `within_s` at most."""
    step_s = min(_CLOSE_S, within_s)
    try:
        with contextlib.suppress(NatsError, OSError):  # what is buffered has nowhere to go then
            if client.is_connected:
                await within(step_s, client.flush(), name="nats-flush")
        with contextlib.suppress(NatsError, OSError, RuntimeError):  # uvloop's, for a lost socket
            await within(step_s, client.close(), name="nats-close")
    finally:
        await cancel_all(client.abort(), patience_s=HANG_UP_S)
