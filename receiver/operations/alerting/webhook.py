"""Posts notices to a webhook, signed as Standard Webhooks says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import httpx2

from receiver.errors import YizhanError
from receiver.operations.alerting.notice import Notice
from receiver.signatures import standard_webhooks_headers

_TIMEOUT_S: Final = 10.0
_LATER: Final = frozenset({408, 429})


class WebhookError(YizhanError):
    """The endpoint did not take a notice; names its host, and nothing that it said."""


class WillNotTakeError(WebhookError):
    """It would not take this notice later either: a 4xx other than 408 and 429."""


class AlertWebhook:
    """Posts to `url`, of which a path may be secret: it is never shown."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        url: str,
        key: bytes,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._url = url
        self._key = key
        self._clock = clock

    async def post(self, notice: Notice) -> None:
        """Done when it is answered 2xx; raises `WebhookError`, of which `WillNotTakeError`."""
        body = notice.body.encode()
        signed = standard_webhooks_headers(notice.id, int(self._clock()), body, [self._key])
        host = httpx2.URL(self._url).host
        headers = {"content-type": "application/json", **signed}
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),
                self._http.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
        except TimeoutError:
            raise WebhookError(f"{host}: no answer within {_TIMEOUT_S:g} s") from None
        except httpx2.HTTPError as error:
            raise WebhookError(f"{host}: no answer ({type(error).__name__})") from None
        if 400 <= status < 500 and status not in _LATER:
            raise WillNotTakeError(f"{host} answered {status}")
        if not 200 <= status < 300:
            raise WebhookError(f"{host} answered {status}")
