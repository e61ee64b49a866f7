"""When the certificate of the settings expires."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from receiver.operations.certificate import expires_at
from tests.certificates import make_certificate


def test_it_says_when_the_first_certificate_of_a_file_expires(tmp_path: Path) -> None:
    file, key = make_certificate(tmp_path, "own")
    command = ["openssl", "x509", "-noout", "-enddate", "-in", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    end = datetime.strptime(said.strip(), "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    file.write_text(f"the chain of our server\n{file.read_text()}{file.read_text()}")
    assert expires_at(file) == end
    assert expires_at(key) is None
    assert expires_at(tmp_path / "none.pem") is None
