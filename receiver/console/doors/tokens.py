"""Tokens that users log in with, of which the settings hold hashes alone (scrypt, RFC 7914)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Final

from receiver.bounded_cache import BoundedCache
from receiver.settings.console import SCRYPT, ConsoleUser

_COST, _BLOCK, _PARALLEL = 2**14, 8, 5  # OWASP's Password Storage Cheat Sheet: 16 MiB
_SALT_BYTES: Final = 16
_MEMORY_BYTES: Final = 512 * 1024 * 1024
_AT_ONCE: Final = 2
_REMEMBERED: Final = 256
_TOKEN: Final = re.compile(r"[\w-]{16,256}", re.ASCII)


def hash_token(token: str) -> str:
    """The hash of a token as `console.users[].token_hash` has it; raises `ValueError` for a token
    that is easily guessed, or that an `Authorization` header cannot hold.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(
            "a token has 16 to 256 letters, digits, '-' or '_', "
            "for example from `openssl rand -hex 24`"
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    key = _derived(token, salt, _COST, _BLOCK, _PARALLEL)
    return f"scrypt:{_COST}:{_BLOCK}:{_PARALLEL}:{_text(salt)}:{_text(key)}"


def is_token(token: str, token_hash: str) -> bool:
    """Whether a hash is of this token; takes as long where it is not."""
    found = SCRYPT.fullmatch(token_hash)
    assert found is not None, "checked by the settings"
    cost, block, parallel, salt, key = found.groups()
    derived = _derived(token, _bytes(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(derived, _bytes(key))


class Tokens:
    """Finds the user of a token. A wrong one takes as long for an unknown name."""

    def __init__(self, users: Sequence[ConsoleUser]) -> None:
        self._hashes = {user.name: user.token_hash for user in users if user.token_hash}
        self._decoy = next(iter(self._hashes.values()))
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._key = secrets.token_bytes(32)
        self._known: BoundedCache[bool] = BoundedCache(_REMEMBERED)

    async def belong(self, name: str, token: str) -> bool:
        """Whether the token is that of the user. What was right once is not derived again."""
        digest = hmac.digest(self._key, f"{name}\n{token}".encode(), "sha256").hex()
        if self._known.get(digest):
            return True
        if not _TOKEN.fullmatch(token):
            token = "-" * 16
        known = self._hashes.get(name)
        async with self._at_once:
            right = await asyncio.to_thread(is_token, token, known or self._decoy)
        if right and known is not None:
            self._known.put(digest, value=True)
            return True
        return False


def _derived(token: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        token.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=_MEMORY_BYTES, dklen=32
    )


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
