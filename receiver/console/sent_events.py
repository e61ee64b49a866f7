"""Server-sent events: what a page that is open gets meanwhile, and how many may be open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

PATIENCE_S: Final = 2.0
"""So soon a viewer sees that NATS is away, rather than nothing."""
VIEWERS: Final = 100
"""Each asks NATS a few things twice a second."""
_BEAT_S: Final = 15.0
_AGAIN_S: Final = 15


def message(name: str, data: object, last_id: object = None) -> bytes:
    """One event, with its id where a viewer that comes back goes on there."""
    lines = [] if last_id is None else [f"id: {last_id}"]
    return "\n".join(
        [*lines, f"event: {name}", f"data: {json.dumps(data, ensure_ascii=True)}", "\n"]
    ).encode()


async def beating(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts; where they are empty for long a comment, so that no proxy ends it."""
    loop = asyncio.get_running_loop()
    said = loop.time() - _BEAT_S
    async for part in parts:
        if part:
            yield part
        elif loop.time() - said >= _BEAT_S:
            yield b": still here\n\n"
        else:
            continue
        said = loop.time()


class Viewers:
    """Counts who follows something, `most` at once."""

    def __init__(self, most: int = VIEWERS) -> None:
        self.most = most
        self.count = 0

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more."""
        return self.count >= self.most

    def answer(self, parts: AsyncIterator[bytes]) -> Response:
        """The answer to one more, who counts until it ends."""
        return _Followed(self, parts)

    def refusal(self) -> Response:
        """The answer where there is no room: the page stands without it, and can be loaded anew."""
        text = (
            f"{self.most} viewers follow something already: load the page again to see what is new"
        )
        body = json.dumps({"error": text})
        headers = {"retry-after": str(_AGAIN_S)}
        return Response(f"{body}\n", 503, headers, media_type="application/json")


class _Followed(StreamingResponse):
    def __init__(self, viewers: Viewers, parts: AsyncIterator[bytes]) -> None:
        # A proxy that buffered it would show nothing until it is full.
        headers = {"x-accel-buffering": "no"}
        super().__init__(parts, media_type="text/event-stream", headers=headers)
        self._viewers = viewers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until the viewer leaves, or there is nothing more."""
        self._viewers.count += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._viewers.count -= 1
