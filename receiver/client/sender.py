"""What sends calls, as the rows see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from receiver.client.endpoint import Endpoint
from receiver.client.priority import Priority, prioritised
from receiver.client.replies import Reply

ResultT = TypeVar("ResultT")


class Sender(Protocol):
    """Sends every call there is: the one place for what concerns them all."""

    async def call(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        read: Callable[[Reply], ResultT],
    ) -> ResultT:
        """What `read` makes of the reply; raises `APIError`."""
        ...


class Prioritised:
    """A `Sender` that sends by another, at a priority of its own."""

    def __init__(self, sender: Sender, priority: Priority) -> None:
        self._sender = sender
        self._priority = priority

    async def call(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        read: Callable[[Reply], ResultT],
    ) -> ResultT:
        """See `Sender.call`."""
        with prioritised(self._priority):
            return await self._sender.call(endpoint, arguments, read)
