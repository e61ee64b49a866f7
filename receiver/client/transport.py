"""Sends signed calls over HTTP. Does not retry: an error says whether trying again can help."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import httpx2

from receiver.client.endpoint import Endpoint, Outgoing, Route, outgoing
from receiver.client.rate_limit import RateLimit
from receiver.client.replies import Answer, Reply, read_reply
from receiver.client.signing import Signer
from receiver.errors import (
    APIError,
    APIUnavailableError,
    ConfigurationError,
    InvalidRequestError,
)
from receiver.observability.logs import get_logger
from receiver.settings import APISettings

ResultT = TypeVar("ResultT")
MAX_REPLY_BYTES: Final = 8 * 1024 * 1024


class PlatformTransport:
    """One account's way to the API: signs, keeps our pace, bounds time and size, reads the reply.

    `routes` are those of the endpoints, by name; `clock` is the time in seconds since 1970. Raises
    `ConfigurationError` where `api.base_url` cannot be used.
    """

    def __init__(
        self,
        settings: APISettings,
        *,
        routes: Mapping[str, Route],
        http: httpx2.AsyncClient,
        signer: Signer,
        limit: RateLimit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = str(base_url(settings)).rstrip("/")
        self._routes = routes
        self._edition = settings.edition
        self._timeout_s = settings.timeout_s
        self._http = http
        self._signer = signer
        self._limit = limit
        self._clock = clock
        self._log = get_logger("yizhan.client")

    async def call(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        read: Callable[[Reply], ResultT],
    ) -> ResultT:
        """Make one call and give what `read` makes of the reply; raises `APIError`.

        Every call goes through here. `timeout_s` bounds all of it, from connecting to the last
        byte, but not the wait for our turn.
        """
        route = self._route(endpoint)
        going = outgoing(endpoint, route, arguments)
        await self._limit.wait()
        started = asyncio.get_running_loop().time()
        try:
            answer = await self._exchange(endpoint, going)
            sure = route.certainty != "unknown"
            reply = read_reply(endpoint, answer, now=self._clock(), sure=sure)
            result = read(reply)
        except APIError as error:
            self._tell(endpoint, error, started, type(error).__name__)
            raise
        self._tell(endpoint, reply, started, "ok", faults=[fault.place for fault in reply.faults])
        return result

    def _route(self, endpoint: Endpoint) -> Route:
        route = self._routes.get(endpoint.name)
        if route is None:
            raise InvalidRequestError(
                f"{endpoint.name}: edition {self._edition!r} has no such call that we know of: "
                f"write its path under api.paths.{endpoint.name}, or change api.edition"
            )
        return route

    async def _exchange(self, endpoint: Endpoint, going: Outgoing) -> Answer:
        name = endpoint.name
        request = self._request(endpoint, going)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._send(endpoint, request)
        except TimeoutError as error:
            text = f"{name}: no answer within {self._timeout_s:g} s"
            raise _unavailable(endpoint, text) from error
        except httpx2.ConnectError as error:
            raise APIUnavailableError(f"{name}: no connection ({type(error).__name__})") from error
        except httpx2.HTTPError as error:
            text = f"{name}: the call failed on the way ({type(error).__name__})"
            raise _unavailable(endpoint, text) from error

    def _request(self, endpoint: Endpoint, going: Outgoing) -> httpx2.Request:
        """Signed now, so that the time spent waiting for our turn does not age the signature."""
        query = dict(going.query)
        if endpoint.signed_in_query:
            headers, signed = self._signer.query()
            query |= signed
        else:
            headers = self._signer.headers()
        # For what looks on from outside, such as a recorder: the call as it was asked for.
        content: dict[str, Any] = {"extensions": {"row": endpoint.name, "outgoing": going}}
        if going.files:
            content["files"] = {
                name: (f"{name}.jpg", data, "image/jpeg") for name, data in going.files.items()
            }
            content["data"] = going.body
        elif going.body is not None:
            content["json"] = going.body
        url = self._base_url + going.path
        try:
            return self._http.build_request(
                going.method, url, params=query or None, headers=headers, **content
            )
        except (httpx2.InvalidURL, TypeError, ValueError) as error:
            text = f"{endpoint.name}: its parameters cannot be sent ({type(error).__name__})"
            raise InvalidRequestError(text) from error

    async def _send(self, endpoint: Endpoint, request: httpx2.Request) -> Answer:
        response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_REPLY_BYTES:
                    text = f"{endpoint.name}: the reply is larger than {MAX_REPLY_BYTES} bytes"
                    raise _unavailable(endpoint, text, status=response.status_code)
        finally:
            await response.aclose()
        retry_after = response.headers.get("retry-after")
        return Answer(response.status_code, bytes(body), retry_after)

    def _tell(
        self,
        endpoint: Endpoint,
        result: Reply | APIError,
        started: float,
        outcome: str,
        *,
        faults: Sequence[str] = (),
    ) -> None:
        """One line a call, without order ids, words or bodies of the platform.

        `faults` are the places of a reply that were not as they are documented.
        """
        elapsed_s = asyncio.get_running_loop().time() - started
        self._log.debug(
            "api_called",
            endpoint=endpoint.name,
            outcome=outcome,
            status=result.status,
            code=result.code,
            request_id=result.request_id,
            duration_ms=round(elapsed_s * 1000, 1),
            **({"faults": faults} if faults else {}),
        )


def _unavailable(
    endpoint: Endpoint, text: str, *, status: int | None = None
) -> APIUnavailableError:
    """No usable answer. A call that changes something may have been carried out all the same."""
    if not endpoint.changes_state:
        return APIUnavailableError(text, status=status)
    return APIUnavailableError(
        f"{text}: it may have been carried out, so see what was done before trying again",
        status=status,
        retryable=False,
    )


def base_url(settings: APISettings) -> httpx2.URL:
    """`api.base_url`, checked; raises `ConfigurationError`."""
    try:
        url = httpx2.URL(settings.base_url)
        # An escape in a host is a character that no host has, such as a space or a lone bracket.
        usable = bool(url.host) and "%" not in url.host
        usable = usable and not (url.query or url.fragment or url.userinfo)
    except httpx2.InvalidURL:
        usable = False
    if not usable:
        raise ConfigurationError(
            "api.base_url: write a URL with a host and no query, such as https://api.pandapon.com"
        )
    return url
