"""Forward events to an HTTP endpoint, as Standard Webhooks says (https://www.standardwebhooks.com).

Off until it has a URL. What an endpoint gets, and what its answers do, is said in
docs/built-in-handlers.md#notify.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final

import httpx2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from yizhan import Context, Drop, Event, Retry, RetryPolicy, Router
from yizhan.events import EVENT_MODELS, EventData, cloud_event

_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS: Final = frozenset({"connection", "content-length", "host", "transfer-encoding"})
_GONE: Final = 410
_SWITCH_OFF: Final = "switch notify off, or give it another URL; until then nothing is posted"
_LONGEST_WAIT_S: Final = 86_400.0
_PATIENCE: Final = 10
"""So many runs of an event an endpoint may put off by `retry-after`; then the policy holds."""
_ANSWER_BYTES: Final = 64 * 1024
_ANSWER_S: Final = 1.0
"""What of an answer's body is waited for, so that the connection can be used again."""

_POLICY: Final = RetryPolicy(
    max_attempts=10,
    delays_s=(5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
)
"""The schedule that Standard Webhooks gives as an example: three days, then a dead letter."""

router = Router()

gone: Final[list[NotifySettings]] = []
"""Those whose endpoint wants no more events: nothing is posted by them until the next start."""


class EndpointError(Exception):
    """The endpoint did not take an event; names its host, and nothing that it said."""


def _url(text: str) -> str:
    try:
        url = httpx2.URL(text)
        usable = url.scheme in {"http", "https"} and bool(url.host) and "%" not in url.host
        usable = usable and not (url.userinfo or url.fragment)
    except httpx2.InvalidURL:
        usable = False
    if not usable:
        raise ValueError("write a URL with http or https and a host; credentials go into headers")
    return text


def _secret(secret: SecretStr) -> SecretStr:
    try:
        keys = _keys(secret)
    except ValueError:
        keys = []
    if not keys or any(len(key) not in _KEY_BYTES for key in keys):
        raise ValueError(
            f'write "{_PREFIX}" and the base64 of 24 to 64 bytes; several with spaces between'
        )
    return secret


def _headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if name.lower() in _OURS or name.lower().startswith("webhook-"):
            raise ValueError(f"{name} is not yours to set: leave it out")
        text = value.get_secret_value()
        if not _HEADER_NAME.fullmatch(name) or not text.isascii() or not text.isprintable():
            raise ValueError("write names and values of HTTP headers, in ASCII")
    return headers


class NotifySettings(BaseModel):
    """`[handlers.notify.settings]`.

    `secret` is `whsec_` and the base64 of 24 to 64 bytes. While a secret is exchanged it is several
    with spaces between: each event is signed with all of them. `timeout_s` is for one answer.
    `headers` are sent beside our own. Events that are invented go out with `include_simulated`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(_url)] | None = Field(default=None, repr=False)
    secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    timeout_s: float = Field(default=20.0, gt=0, le=60)
    headers: Annotated[dict[str, SecretStr], AfterValidator(_headers)] = {}
    include_simulated: bool = False

    @model_validator(mode="after")
    def _signs(self) -> NotifySettings:
        if self.url is not None and self.secret is None:
            raise ValueError(f'add a secret: write "{_PREFIX}" and the base64 of 24 to 64 bytes')
        return self


@router.on(
    *EVENT_MODELS,
    settings=NotifySettings,
    off_without="url",
    timeout=timedelta(seconds=90),
    retry=_POLICY,
)
async def notify(event: Event[EventData], ctx: Context) -> None:
    """Post the event to the endpoint; done when it answers 2xx."""
    own: NotifySettings = ctx.settings
    if event.simulated and not own.include_simulated:
        return
    if own in gone:
        raise Drop(f"the endpoint answered {_GONE} before: {_SWITCH_OFF}")
    answer = await _post(ctx.http, own, event)
    said = f"{answer.url.host} answered {answer.status_code}"
    if answer.is_success:
        return
    if answer.status_code == _GONE:
        gone.append(own)
        ctx.log.error("notify_endpoint_gone", host=answer.url.host, action=_SWITCH_OFF)
        raise Drop(f"{said}: it wants no more events: {_SWITCH_OFF}")
    wish_s = _retry_after_s(answer.headers.get("retry-after", ""))
    if wish_s is not None and ctx.attempt <= _PATIENCE:
        raise Retry(after=min(wish_s, _LONGEST_WAIT_S), reason=said)
    raise EndpointError(said)


async def _post(
    http: httpx2.AsyncClient, own: NotifySettings, event: Event[EventData]
) -> httpx2.Response:
    """The answer, closed; an error of the way may show a header or the URL, so it is left out."""
    assert own.url is not None  # or the handler were off
    assert own.secret is not None
    body = json.dumps(payload(event), separators=(",", ":")).encode()
    extra = {name.lower(): value.get_secret_value() for name, value in own.headers.items()}
    signed = signature_headers(event.fact_id, int(time.time()), body, _keys(own.secret))
    headers = {"content-type": "application/json", **extra, **signed}
    request = http.build_request("POST", own.url, content=body, headers=headers)
    host = request.url.host
    try:
        async with asyncio.timeout(own.timeout_s):
            answer = await http.send(request, stream=True)
    except TimeoutError:
        raise EndpointError(f"{host}: no answer within {own.timeout_s:g} s") from None
    except httpx2.HTTPError as error:
        raise EndpointError(f"{host}: no answer ({type(error).__name__})") from None
    await _drain(answer)
    return answer


def payload(event: Event[EventData]) -> dict[str, Any]:
    """The body: the event as CloudEvents writes it, and the `timestamp` of Standard Webhooks."""
    return {**cloud_event(event), "timestamp": event.time.isoformat()}


def signature_headers(
    message_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]
) -> dict[str, str]:
    """The three headers of Standard Webhooks, with a signature by each key."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    digests = [hmac.digest(key, signed, hashlib.sha256) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(d).decode()}" for d in digests),
    }


def _keys(secret: SecretStr) -> list[bytes]:
    """Raises `ValueError` for what is no secret of Standard Webhooks."""
    words = secret.get_secret_value().split()
    if not all(word.startswith(_PREFIX) for word in words):
        raise ValueError
    return [base64.b64decode(word.removeprefix(_PREFIX), validate=True) for word in words]


async def _drain(answer: httpx2.Response) -> None:
    """Read a short body, so that the connection can be used again; of a longer one, close it."""
    taken = 0
    try:
        async with asyncio.timeout(_ANSWER_S):
            async for chunk in answer.aiter_raw():
                taken += len(chunk)
                if taken > _ANSWER_BYTES:
                    break
    except (TimeoutError, httpx2.HTTPError):
        pass  # the status was read, and it is what counts
    finally:
        await answer.aclose()


def _retry_after_s(text: str) -> float | None:
    """Seconds, or those until a date; None where it is neither."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, until.timestamp() - time.time())
