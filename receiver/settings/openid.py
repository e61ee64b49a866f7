"""The section `[console.oidc]`: an OpenID provider that says who operators are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from receiver.settings.networks import is_loopback
from receiver.settings.section import Section
from receiver.settings.values import has_host_and_port, refuse_placeholder

Role = Literal["viewer", "operator", "admin"]


def is_protected(url: str) -> bool:
    """Whether what goes to a URL cannot be read on the way: https, or http on this machine."""
    if not has_host_and_port(url):
        return False
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _protected_url(value: str) -> str:
    if not is_protected(value) or "@" in value or {"?", "#", " "} & set(value):
        raise ValueError(
            "write a URL with https (http on a loopback address alone), without credentials, "
            "query or fragment"
        )
    return value


ProtectedUrl = Annotated[str, AfterValidator(_protected_url)]


class ConsoleGrant(Section):
    """What those may do in whose ID token `claim` is `value`, or a list that holds it. Both are
    compared whole, with upper and lower case; `email` counts where the provider has verified it.
    """

    claim: str = Field(min_length=1)
    value: str = Field(min_length=1)
    role: Role = "viewer"
    personal: bool = False


class OpenIDSettings(Section):
    """The provider `issuer`, where the console is the client `client_id`.

    `public_url` is where browsers reach the console, with its prefix: after a login the provider
    sends them to `{public_url}/oidc/callback`. Of several grants that fit, the highest role counts,
    and `personal` of any. `name_claim` is the claim by which acts are recorded.
    """

    issuer: ProtectedUrl
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = Field(default=None, repr=False)
    client_secret_file: Path | None = Field(default=None, repr=False)
    public_url: ProtectedUrl
    scopes: tuple[str, ...] = ("openid", "profile")
    name_claim: str = Field(default="sub", min_length=1)
    grants: tuple[ConsoleGrant, ...] = Field(min_length=1)

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("client_secret")
    @classmethod
    def _is_a_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            refuse_placeholder(value.get_secret_value(), "set console.oidc.client_secret_file")
            if not value.get_secret_value():
                raise ValueError("is empty: write the secret that the provider gave the client")
        return value

    @field_validator("scopes")
    @classmethod
    def _with_openid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value or any(not one or set(one) & set(' "\\') for one in value):
            raise ValueError('write a list of scopes with "openid", such as ["openid", "profile"]')
        return value

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if (self.client_secret is None) == (self.client_secret_file is None):
            raise ValueError("needs client_secret or client_secret_file: set one")
        return self
