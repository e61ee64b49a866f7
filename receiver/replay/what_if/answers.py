"""The platform's API without the platform: answered from recordings, else from snapshots.

What neither answers raises `RecordingError` in the handler, and is noted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2

from receiver.client import trail
from receiver.client.account import account_of
from receiver.client.call import AnyCall
from receiver.client.calls.registry import CALLS
from receiver.client.endpoint import Endpoint
from receiver.client.platform import PlatformAPI
from receiver.client.recording import Exchange, asked_for, read_recording
from receiver.client.replay_transport import response_of
from receiver.client.replies import Reply
from receiver.client.sender import Sender
from receiver.errors import ConfigurationError, RecordingError
from receiver.observability.call_counts import CallCounts
from receiver.replay.what_if.results import Called
from receiver.replay.what_if.snapshots import SOURCES, Source
from receiver.settings import APISettings
from receiver.worker.http import SharedHTTP
from schemas.events import EventData

ResultT = TypeVar("ResultT")
Snapshot = tuple[EventData, int]
"""The data of a stored event, and its sequence."""
Find = Callable[[Source, str], Awaitable[Snapshot | None]]
"""Gives the snapshot of an id that a run is answered from."""
RECORDING: Final = "recording"
_FAST: Final = 1000.0
_NEVER: Final = 2**31


class Recordings(httpx2.AsyncBaseTransport):
    """The exchanges of some recordings. Equal calls get their answers in the order in which they
    were recorded, and the last one ever after: several runs may ask for one order.
    """

    def __init__(self, exchanges: Sequence[Exchange] = ()) -> None:
        self._exchanges: dict[str, list[Exchange]] = {}
        for exchange in exchanges:
            self._exchanges.setdefault(repr(exchange.request), []).append(exchange)

    @classmethod
    def of(cls, path: Path) -> Recordings:
        """Those of a file, or of all files of a directory; raises `ConfigurationError`."""
        files = sorted(f for f in path.iterdir() if f.is_file()) if path.is_dir() else [path]
        try:
            return cls([exchange for file in files for exchange in read_recording(file)])
        except RecordingError as error:
            raise ConfigurationError(str(error)) from error

    def __bool__(self) -> bool:
        return bool(self._exchanges)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The recorded answer; raises `RecordingError`."""
        row, asked = asked_for(request)
        found = self._exchanges.get(repr(asked))
        if not found:
            raise RecordingError(f"{row}: is not recorded with these parameters")
        return response_of(found.pop(0) if len(found) > 1 else found[0])

    def sender(self, settings: APISettings | None) -> Sender | None:
        """What calls by these answers, with the edition and the paths of `[api]`; None where there
        are none.
        """
        if not self:
            return None
        given: dict[str, Any] = (
            {"edition": settings.edition, "paths": settings.paths} if settings else {}
        )
        account = account_of(
            {
                "access_key": "any",
                "secret": "any",
                "rate_per_s": _FAST,
                "breaker_failures": _NEVER,
            }
            | given
        )
        return PlatformAPI.open(account, transport=self, sleep=_no_wait).alibaba.orders.sender


class Answering:
    """A `Sender` of one run: `calls` are what was asked, with what it was answered from."""

    def __init__(self, recorded: Sender | None, find: Find, unanswered: list[str]) -> None:
        self.calls: list[Called] = []
        self._recorded = recorded
        self._find = find
        self._unanswered = unanswered

    def api(self, http: NoHTTP) -> PlatformAPI:
        """The calls by it."""
        return PlatformAPI(self, http=http.client, counts=CallCounts(), close=http.aclose)

    async def call(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        read: Callable[[Reply], ResultT],
    ) -> ResultT:
        """See `Sender.call`."""
        call, number = CALLS[endpoint.name], len(self.calls)
        self._note(number, endpoint, None)
        if self._recorded is not None:
            try:
                return await self._by_recording(number, endpoint, arguments, read)
            except RecordingError:
                """It is not in a recording: there may be a snapshot."""
        else:
            trail.note(endpoint.name)
        if (found := await self._snapshot(endpoint, arguments)) is not None:
            data, seq = found
            self._note(number, endpoint, f"{data.event_type} #{seq}")
            return SOURCES[endpoint.name].reply(data)  # type: ignore[return-value] # as its row says
        self._unanswered.append(call.place)
        raise RecordingError(f"{call.place}: neither a recording nor a stored snapshot answers it")

    async def _by_recording(
        self,
        number: int,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        read: Callable[[Reply], ResultT],
    ) -> ResultT:
        """Also an error that was recorded is an answer."""
        assert self._recorded is not None
        self._note(number, endpoint, RECORDING)
        try:
            return await self._recorded.call(endpoint, arguments, read)
        except RecordingError:
            self._note(number, endpoint, None)
            raise

    async def _snapshot(self, endpoint: Endpoint, arguments: Mapping[str, Any]) -> Snapshot | None:
        source = SOURCES.get(endpoint.name)
        if source is None:
            return None
        return await self._find(source, str(arguments.get(source.parameter, "")))

    def _note(self, number: int, endpoint: Endpoint, answer: str | None) -> None:
        made = Called(endpoint.name, endpoint.changes_state, answer)
        self.calls[number : number + 1] = [made]


class NoHTTP(SharedHTTP):
    """The handlers' own client, which sends nothing: each request is refused and noted."""

    def __init__(self, unanswered: list[str]) -> None:
        super().__init__()
        self._client = _refusing(unanswered)

    async def aclose(self) -> None:
        """There is no connection to close, and the next run has the same client."""


def called(row: str) -> Called:
    """A call on record."""
    known: AnyCall | None = CALLS.get(row)
    return Called(row, known is not None and known.endpoint.changes_state)


def _refusing(unanswered: list[str]) -> httpx2.AsyncClient:
    """As where nothing answers; the path may hold personal data, so it is not noted."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        host = f"{request.url.scheme}://{request.url.host}"
        unanswered.append(f"ctx.http {request.method} {host}")
        raise httpx2.ConnectError(f"a what-if run sends nothing to {host}", request=request)

    return httpx2.AsyncClient(transport=httpx2.MockTransport(refuse))


async def _no_wait(_: float) -> None:
    await asyncio.sleep(0)
