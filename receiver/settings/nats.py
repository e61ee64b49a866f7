"""The section `[nats]`."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from receiver.settings.section import Section
from receiver.settings.values import (
    MonitorUrl,
    SubjectToken,
    has_host_and_port,
    refuse_placeholder,
)


class NatsSettings(Section):
    """Where the log is. Without `url` a server of our own is started in `data_dir`.

    `url` may name several servers of one cluster: a list, or one text with commas. A user and
    password stand in the URL, or the password of `user` in `password_file`, or one of the other
    files proves who we are. `monitor_url` is the HTTP address of a server's monitoring.
    `batches_in_memory` says of a server of one's own that the stream's `batches` folder lies in
    memory. Each stream keeps what is younger than `max_age_days`, and of that the youngest
    `max_bytes`; raw callbacks go after `callbacks_max_age_days`, where that is given.
    """

    url: str | None = None
    replicas: int = Field(default=1, ge=1, le=5)
    user: str | None = None
    password_file: Path | None = None
    credentials_file: Path | None = None
    nkey_seed_file: Path | None = None
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    monitor_url: MonitorUrl | None = None
    data_dir: Path = Path("yizhan-data")
    batches_in_memory: bool = False
    port: int = Field(default=4222, ge=0, le=65535)
    subject_root: SubjectToken = "yizhan"
    max_age_days: int = Field(default=90, ge=1, le=36_500)
    callbacks_max_age_days: int | None = Field(default=None, ge=1, le=36_500)
    max_bytes: int | None = Field(default=None, ge=16 * 1024 * 1024, le=2**62)

    @field_validator("url", mode="before")
    @classmethod
    def _joined(cls, value: object) -> object:
        return ",".join(map(str, value)) if isinstance(value, list | tuple) else value

    @field_validator("url")
    @classmethod
    def _is_nats(cls, value: str | None) -> str | None:
        refuse_placeholder(
            value or "", "set nats.user and nats.password_file, or give YIZHAN_NATS__URL"
        )
        for one in (value or "").split(",") if value is not None else ():
            if not one.strip().startswith(("nats://", "tls://")):
                raise ValueError('write "nats://host:4222" or "tls://host:4222", or several')
            if not has_host_and_port(one.strip()):
                raise ValueError(
                    "has no host, or no number as port: a password with one of / ? # [ ] in it "
                    "cannot stand in a URL"
                )
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.callbacks_max_age_days or 0) > self.max_age_days:
            raise ValueError(
                f"callbacks_max_age_days {self.callbacks_max_age_days}: is more than max_age_days "
                f"{self.max_age_days}, after which everything goes: lower it, or leave it out"
            )
        if self.url is None and self.replicas > 1:
            raise ValueError("replicas need a cluster: set nats.url to its servers")
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file belong together: set both or none")
        files = (self.credentials_file, self.nkey_seed_file, self.password_file)
        if sum(file is not None for file in files) > 1:
            raise ValueError(
                "credentials_file, nkey_seed_file and password_file exclude each other: set one"
            )
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file belong together: set both or none")
        if self.user is not None and (self.url is None or "@" in self.url):
            raise ValueError("user and password_file are for a url that names no user: set one")
        return self
