"""Reading an ID token (OpenID Connect Core 1.0, 3.1.3.7). Performs no I/O; needs `yizhan[oidc]`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.jws import JWSRegistry

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519",
)  # fmt: skip
"""Those that need a private key to sign: none of `HS*`, by which a public key would be a secret."""
LEEWAY_S: Final = 60
"""How far the clocks of this machine and of the provider may differ."""

Claims = Mapping[str, Any]


class IDTokenError(Exception):
    """An ID token proves nothing; the text is a constant reason, for logs."""


class UnknownKeyError(IDTokenError):
    """None of the keys made its signature: the provider may have new ones."""


class ClockError(IDTokenError):
    """It is too old, or of a time that is still to come."""


def read_keys(document: Mapping[str, Any]) -> KeySet:
    """The keys of a JWK set; one that cannot be used is passed over (RFC 7517, section 5)."""
    listed = document.get("keys")
    keys: list[Key] = []
    for one in listed if isinstance(listed, list) else ():
        with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError):
            keys.append(JWKRegistry.import_key(one))
    return KeySet(keys)


def read_id_token(
    text: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str, now: float
) -> Claims:
    """The claims of an ID token that one of `keys` signed, and that `issuer` made for this client
    and this login; raises `IDTokenError`.
    """
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    try:
        claims = jwt.decode(text, keys, registry=registry).claims
        _IDTokenClaims(issuer, client_id, nonce, int(now)).validate(claims)
    except (InvalidKeyIdError, BadSignatureError) as error:
        raise UnknownKeyError("unknown_key") from error
    except ClaimError as error:
        early = isinstance(error, InvalidClaimError) and error.claim in {"iat", "nbf"}
        kind = ClockError if early or isinstance(error, ExpiredTokenError) else IDTokenError
        raise kind(f"{error.error}_{error.claim}") from error
    except (JoseError, ValueError, TypeError) as error:
        raise IDTokenError(getattr(error, "error", "") or "not_a_token") from error
    return claims


class _IDTokenClaims(jwt.JWTClaimsRegistry):
    def __init__(self, issuer: str, client_id: str, nonce: str, now: int) -> None:
        super().__init__(
            now=now,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        self._client_id = client_id

    def validate(self, claims: dict[str, Any]) -> None:
        super().validate(claims)
        party = claims.get("azp")
        if party is None and claims["aud"] not in (self._client_id, [self._client_id]):
            raise MissingClaimError("azp")
        if party is not None and party != self._client_id:
            raise InvalidClaimError("azp")
