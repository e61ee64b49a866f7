"""From an HTTP answer to the reply's data, or to the error it means. Performs no I/O.

Sources: docs/platform/api.md#reply-envelope, docs/platform/api.md#verdict-within-data,
docs/platform/api.md#what-data-holds, docs/platform/api.md#errors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from receiver.client.endpoint import Endpoint
from receiver.errors import (
    APIError,
    APIRejectedError,
    APIUnavailableError,
    MalformedCallbackError,
    RateLimitedError,
)
from receiver.messages.json_text import decoded, read_object
from receiver.messages.reading import read_leniently
from schemas.api import Envelope, Verdict

_SUCCESS: Final = 200
_MAX_MESSAGE_CHARS: Final = 200
_MAX_RETRY_AFTER_S: Final = 86_400.0
_MAX_DEPTH: Final = 3
ReplyT = TypeVar("ReplyT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it came: `retry_after` is the header's text."""

    status: int
    body: bytes
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A call that succeeded. `data` is parsed JSON; whole numbers in it keep every digit."""

    endpoint: str
    data: Any
    code: int = _SUCCESS
    status: int = 200
    request_id: str | None = None

    def read(self, model: type[ReplyT], *, known_by: str | None = None) -> ReplyT:
        """`data` as `model`; where a wrapper is round it, the object that has the field `known_by`.

        Raises `APIRejectedError` for null, `APIUnavailableError` for anything but an object.
        """
        if self.data is None:
            raise APIRejectedError(
                f"{self.endpoint}: the reply holds no data: does this account have such an id?",
                code=self.code,
                status=self.status,
                request_id=self.request_id,
            )
        if not isinstance(self.data, dict):
            raise self._unexpected("an object")
        found = (part for part in _objects(self.data) if known_by in part)
        return self._as(model, next(found, self.data))

    def read_rows(self, model: type[ReplyT], *, known_by: Collection[str]) -> list[ReplyT]:
        """`data` as a list of `model`; empty for null.

        A list, an object that holds the list under any name, and one bare row are all accepted;
        a row within an object is recognised by one of the fields `known_by`. Raises
        `APIUnavailableError` where `data` is neither object nor list.
        """
        if self.data is None:
            return []
        if isinstance(self.data, list):
            rows = _rows(self.data)
        elif isinstance(self.data, dict):
            rows = _find_rows(self.data, frozenset(known_by))
        else:
            raise self._unexpected("a list")
        return [self._as(model, row) for row in rows]

    def _as(self, model: type[ReplyT], row: dict[str, Any]) -> ReplyT:
        try:
            return read_leniently(model, row, self.endpoint)[0]
        except MalformedCallbackError as error:
            raise self._unexpected("as it is documented") from error

    def _unexpected(self, what: str) -> APIUnavailableError:
        return APIUnavailableError(
            f"{self.endpoint}: the reply's data is not {what}",
            code=self.code,
            status=self.status,
            request_id=self.request_id,
        )


def read_reply(endpoint: Endpoint, answer: Answer, *, now: float) -> Reply:
    """The reply of `endpoint`; raises the `APIError` that the answer means.

    `now` (seconds since 1970) is what a `Retry-After` date is compared with.
    """
    envelope = _envelope(answer.body)
    fault = _http_fault(endpoint, answer.status)
    if fault is not None:
        kind, text = fault
        raise _error(kind, f"{endpoint.name}: {text}", answer, envelope, now=now)
    if envelope is None or envelope.code is None:
        text = f"{endpoint.name}: the answer is not a reply of the platform: check api.base_url"
        raise _error(APIUnavailableError, text, answer, envelope, now=now)
    if _code(envelope.code) != _SUCCESS:
        text = f"{endpoint.name}: refused with code {_clean(envelope.code)}"
        raise _error(APIRejectedError, text, answer, envelope, now=now)
    data = decoded(envelope.data, "data")
    _check_verdict(endpoint, answer, envelope, data)
    return Reply(endpoint.name, data, status=answer.status, request_id=envelope.request_id)


def retry_after_s(value: str | None, *, now: float) -> float | None:
    """The seconds that a `Retry-After` asks for, from seconds or an HTTP date; None if unreadable.

    At most a day. https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _MAX_RETRY_AFTER_S)
    try:
        date = parsedate_to_datetime(text)
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_S)


def _envelope(body: bytes) -> Envelope | None:
    try:
        return read_leniently(Envelope, read_object(body), "reply")[0]
    except MalformedCallbackError:
        return None


def _http_fault(endpoint: Endpoint, status: int) -> tuple[type[APIError], str] | None:
    if 200 <= status < 300:
        return None
    if status == 429:
        return RateLimitedError, "the platform asks us to slow down (HTTP 429)"
    if status < 400:
        return APIUnavailableError, f"redirected elsewhere (HTTP {status}): check api.base_url"
    if status >= 500 or status == 408:
        return APIUnavailableError, f"the platform is not available (HTTP {status})"
    if status in {404, 405}:
        return APIRejectedError, (
            f"no such call (HTTP {status}): write its path under api.paths.{endpoint.name}"
        )
    return APIRejectedError, f"refused (HTTP {status})"


def _error(
    kind: type[APIError], text: str, answer: Answer, envelope: Envelope | None, *, now: float
) -> APIError:
    msg = envelope.msg if envelope else None
    return kind(
        f"{text}: {_clean(msg)}" if msg else text,
        code=_code(envelope.code) if envelope else None,
        status=answer.status,
        request_id=envelope.request_id if envelope else None,
        retry_after_s=retry_after_s(answer.retry_after, now=now),
    )


def _check_verdict(endpoint: Endpoint, answer: Answer, envelope: Envelope, data: Any) -> None:
    if not isinstance(data, dict):
        return
    verdict, _ = read_leniently(Verdict, data, "data")
    if verdict.success is not False:
        return
    code = verdict.error_code or "unknown"
    reason = f": {_clean(verdict.reason)}" if verdict.reason else ""
    raise APIRejectedError(
        f"{endpoint.name}: not done, error code {_clean(code)}{reason}",
        code=_code(verdict.error_code),
        status=answer.status,
        request_id=envelope.request_id,
    )


def _code(word: str | None) -> int | str | None:
    """A code of digits as a number."""
    return int(word) if word and word.isascii() and word.isdigit() else word


def _clean(text: str) -> str:
    """The platform's words, short and on one line."""
    line = "".join(c if c.isprintable() else " " for c in text[: 2 * _MAX_MESSAGE_CHARS])
    return " ".join(line.split())[:_MAX_MESSAGE_CHARS]


def _objects(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """`value` and the objects within it, outermost first."""
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        yield value
        for part in value.values():
            yield from _objects(decoded(part, "data"), depth + 1)


def _rows(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, which may be JSON text as each of them may be."""
    held = decoded(value, "data")
    rows = (decoded(row, "data") for row in held) if isinstance(held, list) else ()
    return [row for row in rows if isinstance(row, dict)]


def _find_rows(value: dict[str, Any], names: frozenset[str]) -> list[dict[str, Any]]:
    """The outermost object that is a row by itself, or the first list that holds such rows."""
    for part in _objects(value):
        if names & part.keys():
            return [part]
        for held in part.values():
            rows = _rows(held)
            if any(names & row.keys() for row in rows):
                return rows
    return []
