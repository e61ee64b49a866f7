"""What a server refuses, in its own words: a refusal is no outage, and waiting does not end it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Final

from nats.errors import (
    AuthorizationError,
    SecureConnRequiredError,
    SecureConnWantedError,
)
from nats.errors import Error as NatsError

_OUTAGES: Final = ("server shutdown", "stale connection", "slow consumer", "lame duck")
"""Words of a server that ends a connection, and refuses nothing."""
_WORDED: Final = (AuthorizationError, SecureConnRequiredError, SecureConnWantedError)
_AUTHENTICATION: Final = ("authorization", "authentication")
_DENIED: Final = "permissions violation"


def refusal_in(error: Exception) -> str:
    """The server's words, empty where an error that the client reports is no refusal."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate does not hold: {error.verify_message}"
    if type(error) is NatsError or isinstance(error, _WORDED):
        words = str(error).removeprefix("nats: ").strip("' ")
        return "" if any(outage in words.lower() for outage in _OUTAGES) else words
    if isinstance(error, OSError | TimeoutError | NatsError):
        return ""
    return type(error).__name__  # such as a credentials file that is none: its text may be secret


class Refusals:
    """Collects what the server refuses; `words` is the last of it, empty while there is none.

    `credentials` is whether it refused them once.
    """

    def __init__(self) -> None:
        self.words = ""
        self.credentials = False
        self._denied: asyncio.Future[str] | None = None
        self._gathered: list[str] | None = None

    def note(self, error: Exception) -> bool:
        """Take in an error that the client reports; whether it is a refusal that is new."""
        words = refusal_in(error)
        if not words:
            # A reset follows a refusal: of the connection that the server has just closed.
            if isinstance(error, OSError) and not isinstance(error, ConnectionResetError):
                self.words = ""  # the server that refused is gone
            return False
        if self._gathered is not None and _DENIED in words.lower():
            self._gathered.append(words)
            return False
        new, self.words = words != self.words, words
        self.credentials |= any(word in words.lower() for word in _AUTHENTICATION)
        denied = self._denied
        if denied is not None and not denied.done() and _concerns_set_up(words):
            denied.set_result(words)
        return new

    @contextlib.contextmanager
    def gathered(self) -> Iterator[list[str]]:
        """Gives the words of each permission that turns out to be missing: somebody tries them."""
        self._gathered = []
        try:
            yield self._gathered
        finally:
            self._gathered = None

    @contextlib.asynccontextmanager
    async def denials(self) -> AsyncIterator[asyncio.Future[str]]:
        """Gives the words of the first permission that is missing while the streams are set up: no
        answer comes to what was not allowed to be asked.
        """
        outer = self._denied
        self._denied = outer or asyncio.get_running_loop().create_future()
        try:
            yield self._denied
        finally:
            self._denied = outer


def _concerns_set_up(words: str) -> bool:
    words = words.lower()
    return _DENIED in words and any(part in words for part in ("$js.api.", "_inbox."))
