"""One direct read: a request, and the messages that answer it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from receiver.bus.message import StoredMessage
from receiver.bus.retention import read_time

_ANSWER_S: Final = 5.0
_NOTHING, _END, _NOBODY = "404", "204", "503"
_SERVERS_OWN: Final = frozenset(
    {
        *("Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"),
        *("Nats-Num-Pending", "Nats-Last-Sequence", "Nats-UpTo-Sequence"),
    }
)


class AgainError(Exception):
    """The server did not give what was asked, for now."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one request brought; `left` is how many more there are behind it."""

    messages: Sequence[StoredMessage]
    left: int


async def direct_read(client: Client, stream: str, wanted: Mapping[str, Any]) -> Page:
    """The answer to `DIRECT.GET`; raises `AgainError` where it does not come, or not whole."""
    inbox = client.new_inbox()
    answer = _Answer(stream, single="batch" not in wanted)
    subscription = await client.subscribe(inbox, cb=answer.receive)
    try:
        subject = f"$JS.API.DIRECT.GET.{stream}"
        await client.publish(subject, json.dumps(wanted).encode(), reply=inbox)
        return await answer.page()
    finally:
        await subscription.unsubscribe()


class _Answer:
    """What comes in answer to one direct read."""

    def __init__(self, stream: str, *, single: bool) -> None:
        self._stream = stream
        self._single = single
        self._found: list[StoredMessage] = []
        self._page: asyncio.Future[Page] = asyncio.get_running_loop().create_future()

    async def page(self) -> Page:
        """The whole of it; raises `AgainError` where it does not come, or not whole."""
        before = -1
        while not self._page.done():
            if before == len(self._found):
                raise AgainError(f"no answer to a direct read of the stream {self._stream}")
            before = len(self._found)
            await asyncio.wait({self._page}, timeout=_ANSWER_S)
        return self._page.result()

    async def receive(self, message: Msg) -> None:
        """Take in one message."""
        if self._page.done():
            return
        headers = message.headers or {}
        status = headers.get("Status", "")
        try:
            if status in {_NOTHING, _END}:
                left = int(headers.get("Nats-Num-Pending") or 0)
                self._page.set_result(Page(self._found, left))
            elif status:
                raise AgainError(_refusal(status, headers, self._stream))
            else:
                last = self._found[-1].stream_seq if self._found else 0
                self._found.append(_stored(message, last))
                if self._single:
                    self._page.set_result(Page(self._found, 0))
        except AgainError as error:
            self._page.set_exception(error)


def _refusal(status: str, headers: Mapping[str, str], stream: str) -> str:
    if status == _NOBODY:
        return f"no server gives direct reads of the stream {stream}"
    return f"{status} {headers.get('Description', '')}".strip()


def _stored(message: Msg, before: int) -> StoredMessage:
    """A message of a direct read; raises `AgainError` where the one before it did not come."""
    headers = message.headers or {}
    if int(headers.get("Nats-Last-Sequence") or 0) != before:
        raise AgainError("a message is missing")
    return StoredMessage(
        headers["Nats-Subject"],
        {name: value for name, value in headers.items() if name not in _SERVERS_OWN},
        message.data,
        int(headers["Nats-Sequence"]),
        read_time(headers["Nats-Time-Stamp"]),
    )
