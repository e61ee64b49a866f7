"""The section `[receiver]`."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import (
    Field,
    model_validator,
)

from receiver.settings.networks import Networks
from receiver.settings.section import Section


class ReceiverSettings(Section):
    """The HTTP edge, in `workers` processes.

    `limit_bytes` bounds a callback's body. What the log has not acknowledged after `ack_budget_ms`
    is kept in the spool, unless `spool_limit_bytes` is 0; its disk has `spool_budget_ms`. A whole
    request must come within `receive_timeout_s`; `grace_s` is what a stop may take to answer what
    is in flight. Only `trusted_proxies` are believed when they name the sender of a forwarded
    request. With the two TLS files it speaks HTTPS.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    limit_bytes: int = Field(default=1024 * 1024, ge=1024, le=4 * 1024 * 1024)
    limit_headers: int = Field(default=64, ge=8, le=1024)
    limit_head_bytes: int = Field(default=16 * 1024, ge=1024, le=256 * 1024)
    limit_connections: int = Field(default=4096, ge=1)
    limit_connections_per_address: int = Field(default=512, ge=1)
    receive_timeout_s: float = Field(default=5.0, gt=0, le=60)
    idle_timeout_s: float = Field(default=75.0, gt=0, le=3600)
    grace_s: float = Field(default=10.0, ge=0, le=600)
    publish_timeout_s: float = Field(default=0.8, gt=0, le=60)
    ack_budget_ms: int = Field(default=400, ge=10, le=10_000)
    spool_budget_ms: int = Field(default=400, ge=10, le=60_000)
    spool_limit_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    trusted_proxies: Networks = ()

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file belong together: set both or none")
        return self
