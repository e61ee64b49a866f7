"""Sessions of those who logged in: a signed cookie each, good for a time, until it is ended."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from receiver.bounded_cache import BoundedCache
from receiver.console.doors.signed import SignedCookie
from receiver.console.doors.visit import RefusedError, Visit

SESSION_S: Final = 12 * 3600
_ENDED: Final = 4096


class Sessions:
    """Each is the values that `begin` was given. With `https` its cookie is for HTTPS alone,
    whatever a request came by; `clock` is Unix time.
    """

    def __init__(self, clock: Callable[[], float], *, https: bool = False) -> None:
        self._cookie = SignedCookie("yizhan-console", SESSION_S, clock, https=https)
        self._ended: BoundedCache[bool] = BoundedCache(_ENDED)

    def of(self, visit: Visit) -> Mapping[str, Any] | None:
        """The values of the session that a request belongs to; None where it has none."""
        found: Mapping[str, Any] | None = self._cookie.read(visit)
        return None if found is None or self._ended.get(found["session"]) else found

    def begin(self, visit: Visit, values: Mapping[str, Any]) -> tuple[str, str]:
        """The header that begins a session."""
        return self._cookie.header(visit, {**values, "session": secrets.token_urlsafe(12)})

    def end(self, visit: Visit) -> tuple[str, str]:
        """End the session for whoever has its cookie; gives the header that takes that away.

        Raises `RefusedError` where a link asks for it, which another site could show.
        """
        if not visit.changes:
            raise RefusedError(405, "Send the form to log out.", [("allow", "POST")])
        if (found := self._cookie.read(visit)) is not None:
            self._ended.put(found["session"], True)  # noqa: FBT003
        return self._cookie.gone(visit)
