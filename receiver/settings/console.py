"""The section `[console]`: where the operators' pages are served, and who may see them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from receiver.settings.metrics import check_token
from receiver.settings.networks import Networks, is_loopback
from receiver.settings.openid import OpenIDSettings, Role
from receiver.settings.section import Section
from receiver.settings.values import refuse_placeholder

__all__ = ["SCRYPT", "Auth", "ConsoleSettings", "ConsoleUser", "Role", "check_name"]

Auth = Literal["none", "token", "proxy", "oidc"]

SCRYPT: Final = re.compile(
    r"scrypt:(\d{1,7}):(\d{1,2}):(\d{1,2}):([\w-]{22}):([\w-]{43})", re.ASCII
)
"""A hash of a token: cost, block size, parallelism, salt and key (base64url without padding)."""
_MAX_COST: Final = 2**17
_MAX_FACTOR: Final = 16
_NAME: Final = re.compile(r"[^\s:,;\"'<>\x00-\x1f\x7f](?:[^:,;\"'<>\x00-\x1f\x7f]{0,126}\S)?")
_PREFIX: Final = re.compile(r"(?:/[\w.~-]+)*", re.ASCII)


def check_name(value: str) -> str:
    """The name, where acts can be recorded by it; else raises `ValueError`."""
    if not _NAME.fullmatch(value) or not value.isprintable():
        raise ValueError("write the name alone: 1 to 128 characters, none of : , ; \" ' < >")
    return value


def _token_hash(value: str) -> str:
    refuse_placeholder(value, "write what `yizhan console hash-token` prints")
    found = SCRYPT.fullmatch(value)
    if found is None:
        raise ValueError("is no hash: write what `yizhan console hash-token` prints")
    cost, block, parallel = (int(number) for number in found.groups()[:3])
    if not (2 <= cost <= _MAX_COST and cost & (cost - 1) == 0) or not (
        1 <= block <= _MAX_FACTOR and 1 <= parallel <= _MAX_FACTOR
    ):
        raise ValueError(
            "costs too much, or nothing: write what `yizhan console hash-token` prints"
        )
    return value


def _root_path(value: str) -> str:
    bare = value.rstrip("/")
    if not _PREFIX.fullmatch(bare) or not {".", ".."}.isdisjoint(bare.split("/")):
        raise ValueError('write the path below which a proxy serves it, such as "/ops/yizhan"')
    return bare


class ConsoleUser(Section):
    """One who may see the console. With `personal` they may reveal names, phones and addresses,
    which are masked otherwise; `token_hash` is of the token that they log in with.
    """

    name: Annotated[str, AfterValidator(check_name)]
    role: Role = "viewer"
    personal: bool = False
    token_hash: Annotated[str, AfterValidator(_token_hash)] | None = None


class ConsoleSettings(Section):
    """Where `yizhan console` serves, and who may see it.

    With `auth = "none"` whoever is on this machine is an administrator, so `host` is a loopback
    address. With `token` each user logs in with a token of their own. With `proxy` the user is whom
    a proxy names in `X-Forwarded-User` or `Remote-User`: it has one of the addresses of
    `trusted_proxies`, and sends `proxy_secret` in `X-Yizhan-Proxy-Secret`. With `oidc` users log in
    at an OpenID provider, and `oidc` says what they may.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8081, ge=0, le=65535)
    root_path: Annotated[str, AfterValidator(_root_path)] = ""
    auth: Auth = "none"
    users: tuple[ConsoleUser, ...] = ()
    trusted_proxies: Networks = ()
    proxy_secret: SecretStr | None = Field(default=None, repr=False)
    proxy_secret_file: Path | None = Field(default=None, repr=False)
    oidc: OpenIDSettings | None = None

    @field_validator("proxy_secret")
    @classmethod
    def _fits(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            refuse_placeholder(value.get_secret_value(), "set console.proxy_secret_file")
            check_token(value.get_secret_value())
        return value

    @field_validator("users")
    @classmethod
    def _unique_names(cls, value: tuple[ConsoleUser, ...]) -> tuple[ConsoleUser, ...]:
        names = [user.name for user in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two users are named {twice[0]!r}: give each a name of its own")
        return value

    @model_validator(mode="after")
    def _closed(self) -> Self:
        if self.auth == "none":
            self._check_none()
        elif self.auth == "oidc":
            self._check_oidc()
        elif not self.users:
            raise ValueError(f'auth = "{self.auth}" needs users: add [[console.users]]')
        elif self.auth == "token":
            self._check_token()
        else:
            self._check_proxy()
        return self

    def _check_none(self) -> None:
        if not is_loopback(self.host):
            raise ValueError(
                f'auth = "none" lets everyone in who reaches {self.host}: write '
                'host = "127.0.0.1", or auth = "token", "oidc" or "proxy"'
            )
        if self.users:
            raise ValueError('auth = "none" knows no users: write auth = "token" or "proxy"')

    def _check_oidc(self) -> None:
        if self.oidc is None:
            raise ValueError('auth = "oidc" needs the section [console.oidc]')
        if self.users:
            raise ValueError('auth = "oidc" knows no users: write [[console.oidc.grants]]')
        if urlsplit(self.oidc.public_url).path != self.root_path:
            raise ValueError(
                f"oidc.public_url is {self.oidc.public_url}, and root_path is "
                f'"{self.root_path}": write the same path in both'
            )

    def _check_token(self) -> None:
        without = [user.name for user in self.users if user.token_hash is None]
        if without:
            raise ValueError(
                f"the user {without[0]!r} has no token_hash: write what "
                "`yizhan console hash-token` prints"
            )

    def _check_proxy(self) -> None:
        if not self.trusted_proxies:
            raise ValueError('auth = "proxy" needs trusted_proxies = ["10.0.0.5"]')
        if (self.proxy_secret is None) == (self.proxy_secret_file is None):
            raise ValueError('auth = "proxy" needs proxy_secret or proxy_secret_file: set one')
