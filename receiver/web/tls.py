"""HTTPS by certificate files that may be exchanged while we run."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

from receiver.errors import ConfigurationError


class Certificate:
    """A certificate chain and its key, as PEM files; `context` serves what was loaded last.

    Raises `ConfigurationError` where the files cannot be used.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._files = (cert_file, key_file)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # TLS 1.2 and later
        self.reload()

    def reload(self) -> None:
        """Serve the files as they are now to new connections; raises `ConfigurationError`."""
        with self._explained():
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self.context.load_cert_chain(*self._files)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # an SSLError is one too
            missing = [file for file in self._files if not file.is_file()]
            reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
            fault = f"{missing[0]}: no such file" if missing else reason
            raise ConfigurationError(
                f"receiver.tls_cert_file, receiver.tls_key_file: {fault}: "
                "name a PEM file of the certificate chain and one of its key, without a password"
            ) from error
