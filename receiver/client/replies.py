"""From an HTTP answer to the reply's data, or to the error it means. Performs no I/O.

Sources: docs/platform/api.md#reply-envelope, docs/platform/api.md#verdict-within-data,
docs/platform/api.md#what-data-holds, docs/platform/api.md#errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from receiver.callback import Fault
from receiver.client.endpoint import Endpoint
from receiver.client.outcome import unavailable
from receiver.client.reading import UnreadableDataError, read_object, read_rows
from receiver.client.spelling import respelled
from receiver.client.verdict import refusal_in
from receiver.errors import (
    APIError,
    APIRejectedError,
    MalformedCallbackError,
    RateLimitedError,
)
from receiver.messages.json_text import decoded
from receiver.messages.json_text import read_object as read_json_object
from receiver.messages.reading import read_leniently
from schemas.api.reply import Envelope

_SUCCESS: Final = 200
_MAX_MESSAGE_CHARS: Final = 200
_MAX_RETRY_AFTER_S: Final = 86_400.0
ReplyT = TypeVar("ReplyT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it came: `retry_after` and `date` are the headers' texts."""

    status: int
    body: bytes
    retry_after: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A call whose envelope says success. `data` is parsed JSON; whole numbers keep every digit.

    `faults` gathers what was not as its model says, without any of its content.
    """

    endpoint: Endpoint
    data: Any
    code: int = _SUCCESS
    status: int = 200
    request_id: str | None = None
    faults: list[Fault] = field(default_factory=list)

    def read(self, model: type[ReplyT]) -> ReplyT:
        """`data` as `model`.

        Raises `APIRejectedError` for null and for a refusal in the data, `APIUnavailableError` for
        data of another shape; of a call that changes something, `OutcomeUnknownError` for both.
        """
        try:
            read = read_object(model, self.data, self.faults)
        except UnreadableDataError as error:
            raise self._unexpected(str(error)) from error
        self._check(read)
        if read is None:
            raise self._without_data()
        return read

    def read_rows(self, model: type[ReplyT]) -> list[ReplyT]:
        """`data` as a list of `model`, empty for null; raises as `read` does."""
        try:
            rows = read_rows(model, self.data, self.faults)
        except UnreadableDataError as error:
            raise self._unexpected(str(error)) from error
        if not rows:
            self._check(rows)
        return rows

    def _check(self, read: object) -> None:
        refusal = refusal_in(self.data, read)
        if refusal is None:
            return
        meaning = self.endpoint.refusals.get(refusal.code or "")
        parts = [f"not done, error code {_clean(refusal.code or 'unknown')}"]
        parts += [f"({meaning})"] if meaning else []
        text = " ".join(parts) + (f": {_clean(refusal.reason)}" if refusal.reason else "")
        raise self._error(
            APIRejectedError,
            text,
            code=_code(refusal.code),
            reason=_clean(refusal.reason) if refusal.reason else None,
            meaning=meaning,
        )

    def _without_data(self) -> APIError:
        text = "the reply holds no data"
        if self.endpoint.changes_state:
            return self._error(unavailable(self.endpoint), text, code=self.code)
        text = f"{text}: does this account have such an id?"
        return self._error(APIRejectedError, text, code=self.code)

    def _unexpected(self, what: str) -> APIError:
        text = f"the reply's data is not {what}"
        return self._error(unavailable(self.endpoint), text, code=self.code)

    def _error(
        self,
        kind: type[APIError],
        text: str,
        *,
        code: int | str | None,
        reason: str | None = None,
        meaning: str | None = None,
    ) -> APIError:
        return kind(
            f"{self.endpoint.name}: {text}",
            code=code,
            outer_code=self.code,
            status=self.status,
            request_id=self.request_id,
            reason=reason,
            meaning=meaning,
        )


def read_reply(endpoint: Endpoint, answer: Answer, *, now: float, sure: bool = True) -> Reply:
    """The reply of `endpoint`; raises the `APIError` that the answer means.

    `now` (seconds since 1970) is what a `Retry-After` date is compared with; `sure` is whether the
    path that was called is one that was read somewhere.
    """
    envelope = _envelope(answer.body)
    fault = _http_fault(endpoint, answer.status, sure=sure)
    if fault is not None:
        kind, text = fault
        raise _error(kind, endpoint, text, answer, envelope, now=now)
    if envelope is None or envelope.code is None:
        text = "the answer is not a reply of the platform: check api.base_url"
        raise _error(unavailable(endpoint), endpoint, text, answer, envelope, now=now)
    code = _code(envelope.code)
    if code not in endpoint.success:
        text = f"refused with code {_clean(envelope.code)}"
        raise _error(APIRejectedError, endpoint, text, answer, envelope, now=now)
    assert isinstance(code, int)
    return Reply(
        endpoint,
        decoded(envelope.data, "data"),
        code=code,
        status=answer.status,
        request_id=envelope.request_id,
    )


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
        return read_leniently(Envelope, respelled(Envelope, read_json_object(body)), "reply")[0]
    except MalformedCallbackError:
        return None


def _http_fault(
    endpoint: Endpoint, status: int, *, sure: bool
) -> tuple[type[APIError], str] | None:
    if 200 <= status < 300:
        return None
    if status == 429:
        return RateLimitedError, "the platform asks us to slow down (HTTP 429)"
    if status < 400:
        return unavailable(endpoint), f"redirected elsewhere (HTTP {status}): check api.base_url"
    if status >= 500 or status == 408:
        return unavailable(endpoint), f"the platform is not available (HTTP {status})"
    if status in {404, 405}:
        guess = "" if sure else ", and its path here is a guess"
        return APIRejectedError, (
            f"no such call (HTTP {status}){guess}: write its path under api.paths.{endpoint.name}"
        )
    return APIRejectedError, f"refused (HTTP {status})"


def _error(
    kind: type[APIError],
    endpoint: Endpoint,
    text: str,
    answer: Answer,
    envelope: Envelope | None,
    *,
    now: float,
) -> APIError:
    msg = envelope.msg if envelope else None
    return kind(
        f"{endpoint.name}: {text}: {_clean(msg)}" if msg else f"{endpoint.name}: {text}",
        code=_code(envelope.code) if envelope else None,
        outer_code=_code(envelope.code) if envelope else None,
        status=answer.status,
        request_id=envelope.request_id if envelope else None,
        retry_after_s=retry_after_s(answer.retry_after, now=now),
        reason=_clean(msg) if msg else None,
    )


def _code(word: str | None) -> int | str | None:
    """A code of digits as a number."""
    return int(word) if word and word.isascii() and word.isdigit() else word


def _clean(text: str) -> str:
    """The platform's words, short and on one line."""
    line = "".join(c if c.isprintable() else " " for c in text[: 2 * _MAX_MESSAGE_CHARS])
    return " ".join(line.split())[:_MAX_MESSAGE_CHARS]
