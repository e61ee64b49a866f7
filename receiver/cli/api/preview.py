"""What a call would send, seen without sending it: the request, and the same as a `curl` line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import httpx2

from receiver.client.platform import PlatformAPI
from receiver.settings import APISettings

HIDDEN: Final = "(hidden)"
VARIABLE: Final = "YIZHAN_API__SECRET"
_OWN_HEADERS: Final = (
    *("access-key", "user-id", "timestamp", "nonce-str", "signature", "content-type"),
)


class _NotSentError(Exception):
    """Carries the request in place of an answer."""

    def __init__(self, request: httpx2.Request) -> None:
        super().__init__()
        self.request = request


class _Nowhere(httpx2.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx2.Request) -> NoReturn:
        raise _NotSentError(request)


class Preview:
    """A signed request that was not sent. No text of it holds the secret or the signature."""

    def __init__(self, account: APISettings, request: httpx2.Request) -> None:
        self._account = account
        self._request = request
        self._going = request.extensions["outgoing"]
        self._headers = {n: request.headers[n] for n in _OWN_HEADERS if n in request.headers}
        self._url = str(request.url)
        self._signature = self._headers.get("signature") or request.url.params["sign"]

    def request_text(self) -> str:
        """The request line, the headers, the body."""
        lines = [f"{self._request.method} {self._hide(self._url)}"]
        lines += [f"{name}: {self._hide(value)}" for name, value in self._headers.items()]
        return "\n".join([*lines, "", *self._body_lines()]).rstrip()

    def document(self) -> dict[str, Any]:
        """The same as JSON; the body as text."""
        return {
            "method": self._request.method,
            "url": self._hide(self._url),
            "headers": {name: self._hide(value) for name, value in self._headers.items()},
            "body": "\n".join(self._body_lines()) or None,
        }

    def curl(self, files: Mapping[str, str]) -> str:
        """One line that sends the same within 600 s; `files` are the paths by parameter.

        The signature is made by the shell, of the secret in `YIZHAN_API__SECRET`.
        """
        parts = ["curl", "--request", self._request.method, self._quoted(self._url)]
        for name, value in self._headers.items():
            if name != "content-type" or not self._going.files:
                parts += ["--header", self._quoted(f"{name}: {value}")]
        for name, value in (self._going.body or {}).items() if self._going.files else ():
            parts += ["--form-string", shlex.quote(f"{name}={value}")]
        for name, path in files.items():
            parts += ["--form", shlex.quote(f"{name}=@{path};type=image/jpeg;filename={name}.jpg")]
        if self._going.body is not None and not self._going.files:
            parts += ["--data-raw", shlex.quote(self._request.content.decode())]
        return " ".join(parts)

    def _body_lines(self) -> list[str]:
        going = self._going
        if going.files:
            sizes = [f"{name}: a file of {len(data)} bytes" for name, data in going.files.items()]
            return [*(f"{name}: {value}" for name, value in (going.body or {}).items()), *sizes]
        return [] if going.body is None else [self._request.content.decode()]

    def _hide(self, text: str) -> str:
        return text.replace(self._signature, HIDDEN)

    def _quoted(self, text: str) -> str:
        """For a shell, with what makes the signature in place of it."""
        before, found, after = text.partition(self._signature)
        if not found:
            return shlex.quote(text)
        rest = shlex.quote(after) if after else ""
        return f'{shlex.quote(before)}"$({self._signing()})"{rest}'

    def _signing(self) -> str:
        """As docs/platform/api.md#signature-of-a-call says."""
        given = self._headers | dict(self._request.url.params)
        signed = self._account.access_key + given["timestamp"] + given["nonce-str"]
        return (
            f'printf %s {shlex.quote(signed)}"${VARIABLE}" '
            "| openssl md5 -r | cut -c 1-32 | tr a-f A-F"
        )


async def preview(account: APISettings, call: Any) -> Preview:
    """What `call(api)` would send; raises `InvalidRequestError`."""
    async with PlatformAPI.open(account, transport=_Nowhere()) as api:
        try:
            await call(api)
        except _NotSentError as signal:
            return Preview(account, signal.request)
    raise AssertionError("the call sent nothing")
