"""The HTTP client that the handlers of a process share."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx2

_TIMEOUT_S: Final = 30.0


class SharedHTTP:
    """One client, opened by the first handler that asks, so that connections are used again.

    It keeps no cookies: several handlers, which know nothing of each other, use it.
    """

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None

    @property
    def client(self) -> httpx2.AsyncClient:
        """The client; see `Context.http`."""
        if self._client is None:
            import httpx2

            self._client = httpx2.AsyncClient(
                timeout=_TIMEOUT_S,
                follow_redirects=False,
                headers={"user-agent": "yizhan"},
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        return self._client

    async def aclose(self) -> None:
        """Close the connections; requests under way fail."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
