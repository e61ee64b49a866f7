"""The certificate that the settings name."""

from __future__ import annotations

from datetime import datetime

from receiver.operations.certificate import expires_at
from receiver.settings import Settings


def certificate_expiry(settings: Settings) -> datetime | None:
    """When the certificate of the settings expires; None without one that can be read here."""
    file = settings.receiver.tls_cert_file
    return None if file is None else expires_at(file)
