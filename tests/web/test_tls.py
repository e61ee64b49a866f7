"""HTTPS by the receiver itself."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest

from receiver.errors import ConfigurationError
from receiver.web.tls import Certificate
from tests.certificates import make_certificate
from tests.web.raw import WHOLE, running

pytestmark = pytest.mark.usefixtures("both_ways")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    return make_certificate(tmp_path, "first")


def trusting(cert: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(cert))
    context.check_hostname = False
    return context


async def test_it_speaks_https_with_the_certificate_of_the_day(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    certificate = Certificate(*files)
    async with running(tls=certificate) as server:
        sender = await server.sender(trusting(files[0]))
        await sender.say(WHOLE)
        status, head, _ = await sender.hear()
        assert (status, b"strict-transport-security: max-age=" in head) == (200, True)
        renewed = make_certificate(tmp_path, "second")
        for old, new in zip(files, renewed, strict=True):
            shutil.copy(new, old)
        certificate.reload()
        later = await server.sender(trusting(renewed[0]))
        for both in (sender, later):
            await both.say(WHOLE)
            assert (await both.hear())[0] == 200


async def test_a_spoilt_certificate_is_a_sentence_and_the_old_one_stays(
    files: tuple[Path, Path],
) -> None:
    certificate = Certificate(*files)
    trusted = trusting(files[0])
    async with running(tls=certificate) as server:
        files[0].write_text("nonsense", encoding="utf-8")
        with pytest.raises(ConfigurationError, match=r"tls_cert_file.*PEM"):
            certificate.reload()
        sender = await server.sender(trusted)
        await sender.say(WHOLE)
        assert (await sender.hear())[0] == 200


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.pem: no such file"):
        Certificate(tmp_path / "none.pem", tmp_path / "none.key")
