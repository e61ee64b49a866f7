"""Reads and writes what handlers keep between runs, in one KV bucket (`receiver.bus.state.plan`).

Every write is a compare-and-set, and every read asks the stream's leader: a direct get may answer
from a replica that is behind, and go back in time.
"""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple, Protocol

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import OutgoingMessage
from receiver.bus.state.commit import (
    NothingTakesStateError,
    StateCommit,
    StateConflictError,
    Write,
)
from receiver.bus.state.plan import state_config, state_contradictions, widened_state
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.observability.logs import get_logger

__all__ = ["Entries", "Entry", "StateConflictError", "StateStore"]

_ANSWER_S: Final = 5.0
_NAME_IN_USE: Final = 10058
_NO_MESSAGE: Final = 10037
_NO_STREAM: Final = 10059
_NOT_FOUND: Final = 404
_DELETED: Final = (b"KV-Operation: DEL", b"KV-Operation: PURGE")
"""What a KV client leaves behind where it deletes an entry."""


class Entry(NamedTuple):
    """What is stored under a key; a `revision` of 0 says that nothing ever was, or that it expired.

    `value` is None then, and where somebody deleted the entry.
    """

    value: bytes | None
    revision: int


NOTHING: Final = Entry(None, 0)


class Entries(Protocol):
    """What state and ledger need of a store: `StateStore`, or one in memory for tests."""

    async def get(self, key: str) -> Entry:
        """The entry as it is now; raises `BusError`."""

    async def put(
        self, key: str, value: bytes, revision: int, *, ttl: timedelta | None = None
    ) -> int:
        """See `StateStore.put`."""


class StateStore:
    """The entries below one root; `ensure` their stream before use, `stop` it after.

    Where the stream turns out to be gone, it is made anew, and the call that found out fails.

    A write whose answer is missing for `timeout_s` raises `BusError`: it may be stored.
    """

    def __init__(
        self, connection: Connection, subjects: Subjects, *, timeout_s: float = _ANSWER_S
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._timeout_s = timeout_s
        self._commit = StateCommit(connection, timeout_s=timeout_s)
        self._log = get_logger("yizhan.bus")

    async def ensure(self) -> bool:
        """Make the stream where there is none, on as many servers as hold the events; one that
        exists gets what it lacks and keeps its entries. Gives whether it was made.

        Raises `ConfigurationError` where it cannot keep state, and `BusError`.
        """
        client, name = self._connection.client, self._subjects.state_stream
        replicas = await self._replicas()
        info = await state_info(self._connection, self._subjects)
        if info is None:
            made = await call(client, f"STREAM.CREATE.{name}", self._config(replicas))
            if made.get("error", {}).get("err_code", _NAME_IN_USE) != _NAME_IN_USE:
                raise BusError(
                    f"NATS refuses the stream {name}: {made['error'].get('description')}"
                )
            return True
        if reasons := state_contradictions(info["config"]):
            raise ConfigurationError(f"the stream {name}: {'; '.join(reasons)}")
        wanted = widened_state(info["config"], self._subjects, replicas)
        if wanted != info["config"]:
            changed = await call(client, f"STREAM.UPDATE.{name}", wanted)
            if "error" in changed:
                raise BusError(
                    f"NATS refuses to change {name}: {changed['error'].get('description')}"
                )
        return False

    async def stop(self) -> None:
        """Give up what is not stored by now."""
        await self._commit.stop()

    async def get(self, key: str) -> Entry:
        """The entry as the stream's leader has it now; raises `BusError`."""
        found = await self._message({"last_by_subj": self._subjects.state(key)})
        return NOTHING if found is None else _entry(found)

    async def put(
        self, key: str, value: bytes, revision: int, *, ttl: timedelta | None = None
    ) -> int:
        """Store an entry that is at `revision` now (0: that is not there), and give its new one.

        Without a `ttl`, in whole seconds and at least one, it stays until it is written again; a
        later write without one has none. Raises `StateConflictError` where it is at another
        revision; any other `BusError` leaves it open whether it was stored, where the connection
        was lost or no answer came: read it back. Writes of this process at the same time go into
        one commit. Who is cancelled does not cancel the write.
        """
        head = b""
        if ttl is not None:
            head = b"Nats-TTL: %ds\r\n" % max(1, math.ceil(ttl.total_seconds()))
        write = Write(OutgoingMessage(self._subjects.state(key), "", head, value), revision)
        self._commit.add(write)
        try:
            async with asyncio.timeout(2 * self._timeout_s):  # a round, and the one before it
                return await write.future
        except TimeoutError as error:
            raise BusError("the state stream did not answer in time") from error
        except NothingTakesStateError:
            await self._make_again()
            raise

    async def scan(self, prefix: str, *, after: int = 0) -> AsyncIterator[tuple[str, Entry]]:
        """The entries whose keys begin with these tokens, such as `effect` or `order.1688`, by the
        age of their last write, those written after the revision `after`; what is written
        meanwhile may be missed or come twice. One question an entry: for people, not for runs.
        Raises `BusError`.
        """
        wanted, seq = self._subjects.state(f"{prefix}.>"), after + 1
        while found := await self._message({"seq": seq, "next_by_subj": wanted}):
            yield found["subject"].removeprefix(self._subjects.state("")), _entry(found)
            seq = found["seq"] + 1

    async def _message(self, asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
        verb = f"STREAM.MSG.GET.{self._subjects.state_stream}"
        answer = await call(self._connection.client, verb, asked, timeout_s=self._timeout_s)
        error = answer.get("error")
        if error is None:
            message: Mapping[str, Any] = answer["message"]
            return message
        if error.get("err_code") == _NO_MESSAGE:
            return None
        if error.get("err_code") == _NO_STREAM:
            await self._make_again()
        raise BusError(f"what handlers keep cannot be read: {error.get('description')}")

    async def _replicas(self) -> int:
        client = self._connection.client
        events = await call(client, f"STREAM.INFO.{self._subjects.stream}", {})
        replicas: int = events.get("config", {}).get("num_replicas", 1)
        return replicas

    def _config(self, replicas: int) -> dict[str, Any]:
        if replicas < 2 and self._connection.client.is_clustered:
            raise ConfigurationError(
                f"the stream {self._subjects.state_stream} needs three servers of the cluster: "
                "set nats.replicas to 3"
            )
        return state_config(self._subjects, replicas)

    async def _make_again(self) -> None:
        """Where the stream was deleted under us: what it held is lost, and what comes is kept."""
        try:
            if await self.ensure():
                self._log.warning("state_stream_made", stream=self._subjects.state_stream)
        except (BusError, ConfigurationError) as error:
            self._log.warning("state_not_kept", error=str(error))


async def state_info(connection: Connection, subjects: Subjects) -> dict[str, Any] | None:
    """The server's answer to `STREAM.INFO`; None without such a stream. Raises `BusError`."""
    info = await call(connection.client, f"STREAM.INFO.{subjects.state_stream}", {})
    error = info.get("error")
    if error and error.get("code") != _NOT_FOUND:
        raise BusError(f"the stream {subjects.state_stream}: {error.get('description')}")
    return None if error else info


def _entry(message: Mapping[str, Any]) -> Entry:
    head = base64.b64decode(message.get("hdrs") or "")
    if any(word in head for word in _DELETED):
        return Entry(None, message["seq"])
    return Entry(base64.b64decode(message.get("data") or ""), message["seq"])
