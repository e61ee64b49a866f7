"""Sends signed calls over HTTP. Does not retry: an error says whether trying again can help."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx2

from receiver.client.endpoint import Endpoint, Parameters
from receiver.client.rate_limit import RateLimit
from receiver.client.replies import Answer, Reply, read_reply
from receiver.client.signing import Signer
from receiver.errors import APIError, APIRejectedError, APIUnavailableError, ConfigurationError
from receiver.observability.logs import get_logger
from receiver.settings import APISettings

MAX_REPLY_BYTES: Final = 8 * 1024 * 1024


class PlatformTransport:
    """One account's way to the API: signs, keeps our pace, bounds time and size, reads the reply.

    `paths` are those of the endpoints, by name; `clock` is the time in seconds since 1970. Raises
    `ConfigurationError` where `api.base_url` cannot be used.
    """

    def __init__(
        self,
        settings: APISettings,
        *,
        paths: Mapping[str, str],
        http: httpx2.AsyncClient,
        signer: Signer,
        limit: RateLimit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = str(base_url(settings)).rstrip("/")
        self._paths = paths
        self._edition = settings.edition
        self._timeout_s = settings.timeout_s
        self._http = http
        self._signer = signer
        self._limit = limit
        self._clock = clock
        self._log = get_logger("yizhan.client")

    async def call(self, endpoint: Endpoint, parameters: Parameters) -> Reply:
        """Make one call; raises `APIError`.

        `timeout_s` bounds all of it, from connecting to the last byte, but not the wait for our
        turn. A parameter that is None is left out.
        """
        url = f"{self._base_url}{self._path(endpoint)}"
        arguments = endpoint.arguments(parameters)
        await self._limit.wait()
        started = asyncio.get_running_loop().time()
        try:
            answer = await self._exchange(endpoint, url, arguments)
            reply = read_reply(endpoint, answer, now=self._clock())
        except APIError as error:
            self._tell(endpoint, error, started, type(error).__name__)
            raise
        self._tell(endpoint, reply, started, "ok")
        return reply

    def _path(self, endpoint: Endpoint) -> str:
        path = self._paths.get(endpoint.name)
        if path is None:
            raise APIRejectedError(
                f"{endpoint.name}: edition {self._edition!r} has no such call that we know of: "
                f"write its path under api.paths.{endpoint.name}, or change api.edition"
            )
        return path

    async def _exchange(
        self, endpoint: Endpoint, url: str, arguments: dict[str, str | int]
    ) -> Answer:
        try:
            request = self._request(endpoint, url, arguments)
            async with asyncio.timeout(self._timeout_s):
                return await self._send(endpoint, request)
        except TimeoutError as error:
            raise APIUnavailableError(
                f"{endpoint.name}: no answer within {self._timeout_s:g} s"
            ) from error
        except httpx2.InvalidURL as error:
            raise APIRejectedError(
                f"{endpoint.name}: its parameters are too long to be sent"
            ) from error
        except httpx2.HTTPError as error:
            raise APIUnavailableError(
                f"{endpoint.name}: the call failed on the way ({type(error).__name__})"
            ) from error

    def _request(
        self, endpoint: Endpoint, url: str, arguments: dict[str, str | int]
    ) -> httpx2.Request:
        """Signed now, so that the time spent waiting for our turn does not age the signature."""
        headers = self._signer.headers()
        if endpoint.method == "GET":
            return self._http.build_request("GET", url, params=arguments, headers=headers)
        return self._http.build_request(endpoint.method, url, json=arguments, headers=headers)

    async def _send(self, endpoint: Endpoint, request: httpx2.Request) -> Answer:
        response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_REPLY_BYTES:
                    raise APIUnavailableError(
                        f"{endpoint.name}: the reply is larger than {MAX_REPLY_BYTES} bytes",
                        status=response.status_code,
                    )
        finally:
            await response.aclose()
        retry_after = response.headers.get("retry-after")
        return Answer(response.status_code, bytes(body), retry_after)

    def _tell(
        self, endpoint: Endpoint, result: Reply | APIError, started: float, outcome: str
    ) -> None:
        """One line a call, without order ids, words or bodies of the platform."""
        elapsed_s = asyncio.get_running_loop().time() - started
        self._log.debug(
            "api_called",
            endpoint=endpoint.name,
            outcome=outcome,
            status=result.status,
            code=result.code,
            request_id=result.request_id,
            duration_ms=round(elapsed_s * 1000, 1),
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
