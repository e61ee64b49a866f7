"""One try of a call over HTTP: signed as it is sent, bounded in time and size."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx2

from receiver.client.endpoint import Endpoint, Outgoing
from receiver.client.outcome import unavailable
from receiver.client.replies import Answer
from receiver.client.signing import Signer
from receiver.errors import APIUnavailableError, ConfigurationError, InvalidRequestError
from receiver.settings import APISettings

MAX_REPLY_BYTES: Final = 8 * 1024 * 1024
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""Errors by which it is sure that no byte of a request left."""


class Exchange:
    """Sends a request and gives the answer as it came; follows no redirect.

    `timeout_s` bounds all of it, from connecting to the last byte. Raises `ConfigurationError`
    where `api.base_url` cannot be used.
    """

    def __init__(self, settings: APISettings, *, http: httpx2.AsyncClient, signer: Signer) -> None:
        self._base_url = str(base_url(settings)).rstrip("/")
        self._timeout_s = settings.timeout_s
        self._http = http
        self._signer = signer

    async def send(self, endpoint: Endpoint, going: Outgoing) -> Answer:
        """Raises `APIUnavailableError`, for a call that changes something only where it was not
        sent, else `OutcomeUnknownError`.
        """
        name = endpoint.name
        request = self._request(endpoint, going)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._answer(endpoint, request)
        except TimeoutError as error:
            text = f"{name}: no answer within {self._timeout_s:g} s"
            raise unavailable(endpoint)(text) from error
        except _NEVER_SENT as error:
            raise APIUnavailableError(f"{name}: no connection ({type(error).__name__})") from error
        except httpx2.HTTPError as error:
            text = f"{name}: the call failed on the way ({type(error).__name__})"
            raise unavailable(endpoint)(text) from error

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

    async def _answer(self, endpoint: Endpoint, request: httpx2.Request) -> Answer:
        response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_REPLY_BYTES:
                    text = f"{endpoint.name}: the reply is larger than {MAX_REPLY_BYTES} bytes"
                    raise unavailable(endpoint)(text, status=response.status_code)
        finally:
            await response.aclose()
        headers = response.headers
        return Answer(
            response.status_code, bytes(body), headers.get("retry-after"), headers.get("date")
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
