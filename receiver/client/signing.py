"""How a call proves who we are (docs/platform/api.md#signature-of-a-call). Performs no I/O."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from receiver.errors import ConfigurationError
from receiver.settings import APISettings
from receiver.signatures import xport_signature

_UNITS_PER_S: Final[Mapping[str, int]] = MappingProxyType({"ms": 1000, "s": 1})


def random_nonce() -> str:
    """32 random characters."""
    return secrets.token_hex(16)


class Signer:
    """Makes the headers of one call: key, time, nonce, user and signature.

    `clock` is the time in seconds since 1970; the platform allows it to be 600 s off. Raises
    `ConfigurationError` where a setting cannot stand in a header.
    """

    def __init__(
        self,
        settings: APISettings,
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = random_nonce,
    ) -> None:
        _check_header("access_key", settings.access_key)
        _check_header("user_id", settings.user_id)
        self._settings = settings
        self._clock = clock
        self._nonce = nonce

    def headers(self) -> dict[str, str]:
        """Fresh headers; no two calls share them."""
        timestamp, nonce, signature = self._signed()
        headers = {
            "access-key": self._settings.access_key,
            "timestamp": timestamp,
            "nonce-str": nonce,
            "signature": signature,
        }
        user_id = self._settings.user_id
        return headers | ({"user-id": user_id} if user_id else {})

    def query(self) -> tuple[dict[str, str], dict[str, str]]:
        """The headers and the query of a call that is signed in its query.

        How `sign` is made is not known: it is made as `signature` is
        (docs/platform/api.md#warehouse-signature), so that the nonce has to go with it.
        """
        timestamp, nonce, signature = self._signed()
        return {"nonce-str": nonce}, {"timestamp": timestamp, "sign": signature}

    def _signed(self) -> tuple[str, str, str]:
        """A time, a nonce and the signature over both."""
        settings = self._settings
        timestamp = str(int(self._clock() * _UNITS_PER_S[settings.timestamp_unit]))
        nonce = self._nonce()
        secret = settings.secret.get_secret_value()
        return timestamp, nonce, xport_signature(settings.access_key, timestamp, nonce, secret)


def _check_header(name: str, value: str) -> None:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(
            f"api.{name}: holds a character that cannot be sent: "
            "copy it again from the platform's console, without spaces"
        )
