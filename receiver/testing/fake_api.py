"""The platform's API for tests: answered by samples, by a recording or by the test itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self, TypeVar, cast

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

from receiver.client import trail
from receiver.client.account import account_of
from receiver.client.call import AnyCall
from receiver.client.calls.registry import CALLS
from receiver.client.endpoint import Endpoint
from receiver.client.platform import PlatformAPI
from receiver.client.replay_transport import ReplayTransport
from receiver.client.replies import Reply
from receiver.client.sender import Sender
from receiver.errors import OutcomeUnknownError, RecordingError
from receiver.observability.call_counts import CallCounts
from schemas.api.request import FreeRequest

ResultT = TypeVar("ResultT")

Row = str | Callable[..., Awaitable[ResultT]]
"""A row by its name, `"alibaba.orders.detail"`, or the method itself, `api.alibaba.orders.detail`:
then the type checker knows what it answers."""

_FAST: Final = 1000.0
"""Calls a second: a test does not wait for its turn."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that was made: the row's name as on `PlatformAPI`, and its request.

    `request` has the fields that the method takes: `asked.request.order_id`. `error` is what it
    raised.
    """

    row: str
    request: Any
    error: BaseException | None = None


class FakeAPI(PlatformAPI):
    """A `PlatformAPI` without a network, whose every call is in `asked`.

        api = FakeAPI.of_samples()
        api.answer(api.alibaba.orders.detail, AlibabaOrderDetail(...))
        api.answer(api.alibaba.orders.cancel, OutcomeUnknownError("no answer"))

    A call without an answer goes on to `inner`, if one is given; else it raises `RecordingError`,
    which says what to answer. Requests are checked as they are by the real one.
    """

    def __init__(self, inner: PlatformAPI | None = None, *, samples: bool = False) -> None:
        sender = _Sender(inner.alibaba.orders.sender if inner else None, samples=samples)
        super().__init__(
            sender,
            http=inner.http if inner else _no_network(),
            counts=inner.counts if inner else CallCounts(),
            close=inner.aclose if inner else _nothing,
        )
        self._fake = sender

    @classmethod
    def of_samples(cls) -> Self:
        """Answers what the platform's pages show as an example, whatever the ids that are asked
        for; a row without an example has to be answered.
        """
        return cls(samples=True)

    @classmethod
    def replaying(cls, path: str | Path, **account: Any) -> Self:
        """Answers from a recording, as `ReplayTransport` does; `account` is what
        `PlatformAPI.open` takes, such as the `edition` of the recording.
        """
        transport = ReplayTransport(path)
        given: dict[str, Any] = {
            "access_key": "any",
            "secret": "any",
            "rate_per_s": _FAST,
        } | account
        return cls(PlatformAPI.open(account_of(given), transport=transport))

    @property
    def asked(self) -> list[Asked]:
        """Every call, in the order in which they were made."""
        return self._fake.asked

    def answer(self, row: Row[ResultT], *answers: Any) -> None:
        """Answer a row with each of `answers` in turn, with the last one ever after.

        An answer is the model that the call gives, the reply's data as JSON (it is read as a real
        one), an exception, or a function that makes one of these of the request. Raises
        `RecordingError` for a row that there is not and for a model of another row.
        """
        call = _call(row)
        for answer in answers:
            _check(call, answer)
        self._fake.answers[call.endpoint.name] = list(answers)

    def sample(self, row: Row[ResultT]) -> ResultT:
        """What the platform's pages show as an example of a row's reply, for a test to change.

            detail = api.sample(api.alibaba.orders.detail)
            api.answer(api.alibaba.orders.detail, detail.model_copy(update={...}))

        Raises `RecordingError` where they show none.
        """
        call = _call(row)
        return call.read(Reply(call.endpoint, _sample(call.endpoint)))  # type: ignore[no-any-return] # as its row says


class _Sender:
    """A `Sender` that notes each call and answers it by what it was given."""

    def __init__(self, inner: Sender | None, *, samples: bool) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, list[Any]] = {}
        self._inner = inner
        self._samples = samples

    async def call(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        read: Callable[[Reply], ResultT],
    ) -> ResultT:
        """See `Sender.call`."""
        call = CALLS[endpoint.name]
        request = _request(call, arguments)
        number = len(self.asked)
        self.asked.append(Asked(call.place, request))
        try:
            return await self._answered(call, request, arguments, read)
        except BaseException as error:
            self.asked[number] = Asked(call.place, request, error)
            raise

    async def _answered(
        self,
        call: AnyCall,
        request: Any,
        arguments: Mapping[str, Any],
        read: Callable[[Reply], ResultT],
    ) -> ResultT:
        given = self.answers.get(call.endpoint.name)
        if not given and self._inner is not None:
            return await self._inner.call(call.endpoint, arguments, read)
        with trail.calling(call.endpoint):
            return self._read(call, request, self._next(call, given), read)

    def _read(
        self, call: AnyCall, request: Any, answer: Any, read: Callable[[Reply], ResultT]
    ) -> ResultT:
        if callable(answer) and not isinstance(answer, type):
            answer = answer(request)
        if isinstance(answer, OutcomeUnknownError):
            answer.sent_at, answer.final_at = time.time(), asyncio.get_running_loop().time()
        if isinstance(answer, BaseException):
            raise answer
        if _is_read(call, answer):
            return answer  # type: ignore[no-any-return] # as its row says
        return read(Reply(call.endpoint, answer))

    def _next(self, call: AnyCall, given: list[Any] | None) -> Any:
        if given:
            return given.pop(0) if len(given) > 1 else given[0]
        if self._samples:
            return _sample(call.endpoint)
        raise RecordingError(
            f"{call.place} was called and has no answer: write "
            f"api.answer(api.{call.place}, {call.reply.__name__}(...))"
        )


def _call(row: Row[Any]) -> AnyCall:
    name = row if isinstance(row, str) else getattr(row, "__qualname__", "")
    found = CALLS.get(name.replace(".", "_"))
    if found is None:
        near = get_close_matches(name, [call.place for call in CALLS.values()], n=3, cutoff=0.4)
        meant = f": did you mean {' or '.join(near)}?" if near else ": docs/api.md lists them all"
        raise RecordingError(f"there is no call {name!r}{meant}")
    return found


def _check(call: AnyCall, answer: Any) -> None:
    if isinstance(answer, BaseModel) and not _is_read(call, answer):
        kind = f"a list of {call.reply.__name__}" if call.is_list else call.reply.__name__
        raise RecordingError(f"{call.place} gives {kind}, not {type(answer).__name__}")


def _is_read(call: AnyCall, answer: Any) -> bool:
    """Whether an answer is what the call gives, and not yet to be read."""
    if call.is_list:
        rows = isinstance(answer, list) and all(isinstance(row, call.reply) for row in answer)
        return rows and bool(answer)
    return isinstance(answer, call.reply)


def _request(call: AnyCall, arguments: Mapping[str, Any]) -> Any:
    """The request that was sent as `arguments`."""
    if call.request is FreeRequest:
        return FreeRequest(dict(arguments))
    fixed = getattr(call.request, "always_sent", {})
    given = {name: value for name, value in arguments.items() if name not in fixed}
    reader: TypeAdapter[Any] = TypeAdapter(cast(type[Any], call.request))
    try:
        return reader.validate_python(given)
    except ValidationError:  # some pages want an object as JSON text
        return reader.validate_python({name: _parsed(value) for name, value in given.items()})


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in {"[", "{"} else value


@lru_cache
def _samples() -> Mapping[str, Any]:
    text = files("receiver.testing").joinpath("samples.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def _sample(endpoint: Endpoint) -> Any:
    try:
        return _samples()[endpoint.name]
    except KeyError:
        raise RecordingError(f"{endpoint.name}: the pages show no example: answer it") from None


def _no_network() -> httpx2.AsyncClient:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise RecordingError("a FakeAPI has no network")

    return httpx2.AsyncClient(transport=httpx2.MockTransport(refuse))


async def _nothing() -> None:
    """What there is to close."""
