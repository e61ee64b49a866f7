"""Cookies that only this process makes: signed, and good for a time.

The key is made at the start, so that whoever logged in before a restart logs in again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from starlette.requests import cookie_parser

from receiver.console.doors.visit import Visit


class SignedCookie:
    """One cookie, `name`, whose value is JSON and good for `lifetime_s`; `clock` is Unix time.

    It is for HTTPS alone with `https`, or where the request came by that.
    """

    def __init__(
        self, name: str, lifetime_s: int, clock: Callable[[], float], *, https: bool = False
    ) -> None:
        class Signer(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock())

        self._name = name
        self._https = https
        self._lifetime_s = lifetime_s
        self._serializer = URLSafeTimedSerializer(
            secrets.token_bytes(32),
            salt=name,
            signer=Signer,
            signer_kwargs={"digest_method": hashlib.sha256},
        )

    def read(self, visit: Visit) -> Any:
        """The value that a request brings; None where it is missing, too old or not ours."""
        given = cookie_parser(visit.headers.get("cookie", "")).get(self._name)
        if given is None:
            return None
        try:
            return self._serializer.loads(given, max_age=self._lifetime_s)
        except BadData:
            return None

    def header(self, visit: Visit, value: Any) -> tuple[str, str]:
        """The header that sets it."""
        text = self._serializer.dumps(value)
        return self._set_cookie(
            visit, text if isinstance(text, str) else text.decode(), self._lifetime_s
        )

    def gone(self, visit: Visit) -> tuple[str, str]:
        """The header that takes it away."""
        return self._set_cookie(visit, "", 0)

    def _set_cookie(self, visit: Visit, value: str, max_age_s: int) -> tuple[str, str]:
        secure = "; Secure" if self._https or visit.https else ""
        return (
            "set-cookie",
            f"{self._name}={value}; Max-Age={max_age_s}; Path={visit.root}/; HttpOnly; "
            f"SameSite=Lax{secure}",
        )
