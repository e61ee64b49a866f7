"""A recording in place of the network: each call is answered as it was when it was recorded."""

from __future__ import annotations

from pathlib import Path

import httpx2

from receiver.client.recording import AskedFor, Exchange, asked_for, read_recording
from receiver.errors import RecordingError


class ReplayTransport(httpx2.AsyncBaseTransport):
    """Answers the calls of a recording, made with `recording` or `yizhan api record`.

        api = PlatformAPI.open(access_key="any", secret="any", transport=ReplayTransport(path))

    A call is known by method, path and parameters, masked as they were in the recording. Equal
    calls get their answers in the order of the recording, each answer once. Any other call raises
    `RecordingError`, as does a file that cannot be used.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._exchanges = read_recording(path)

    @property
    def left(self) -> list[str]:
        """The rows of the answers that no call has asked for yet."""
        return [exchange.row for exchange in self._exchanges]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The recorded answer."""
        row, asked = asked_for(request)
        for exchange in self._exchanges:
            if exchange.request == asked:
                self._exchanges.remove(exchange)
                return response_of(exchange)
        raise RecordingError(f"{self._path}: {row}: {self._why_not(row, asked)}")

    def _why_not(self, row: str, asked: AskedFor) -> str:
        others = [exchange.request for exchange in self._exchanges if exchange.row == row]
        if not others:
            return "no answer to this call is left: record it"
        other = others[0]
        if (other.method, other.path) != (asked.method, asked.path):
            return (
                f"it is recorded as {other.method} {other.path}: use the edition of the recording"
            )
        names = sorted(_parameters(other).items() ^ _parameters(asked).items())
        differing = ", ".join(dict.fromkeys(name for name, _ in names))
        return f"it is recorded with other parameters: {differing} differ"


def _parameters(asked: AskedFor) -> dict[str, str]:
    given = {**asked.query, **(asked.body or {}), **asked.files}
    return {name: repr(value) for name, value in given.items()}


def response_of(exchange: Exchange) -> httpx2.Response:
    """The answer that was recorded."""
    headers = {} if exchange.retry_after is None else {"retry-after": exchange.retry_after}
    if exchange.not_json is not None:
        content = b"*" * exchange.not_json
        return httpx2.Response(exchange.status, headers=headers, content=content)
    return httpx2.Response(exchange.status, headers=headers, json=exchange.reply)
