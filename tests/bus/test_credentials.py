"""Getting into NATS: by password, NKey, credentials file, and TLS with a certificate of ours."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import nkeys  # type: ignore[import-untyped]  # has no types
import pytest

from receiver.bus.connection import Connection
from receiver.bus.credentials import ConnectOptions, without_credentials
from receiver.embedded.server import server_binary
from receiver.errors import ConfigurationError
from tests.certificates import make_certificate


@contextlib.asynccontextmanager
async def serving(directory: Path, settings: str) -> AsyncIterator[str]:
    """A nats-server with these settings; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    file = directory / "server.conf"
    file.write_text(f'listen: "{address}"\n{settings}\n', encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        server_binary(), "-c", str(file), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield address
    finally:
        process.kill()
        await process.wait()


async def gets_in(url: str, access: ConnectOptions | None = None) -> bool:
    connection = Connection(url, (), access=access)
    async with asyncio.timeout(60):
        starting = asyncio.create_task(connection.start(patience_s=20))
        while not (starting.done() or connection.refused):
            await asyncio.sleep(0.01)
    starting.cancel()
    await asyncio.wait({starting})
    ready = connection.ready
    await connection.stop()
    return ready


def new_key(kind: int) -> nkeys.KeyPair:
    return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), kind))


def token(issuer: nkeys.KeyPair, subject: nkeys.KeyPair, claims: dict[str, object]) -> str:
    """A NATS JWT (its claims' `jti` is any unique text)."""

    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    body = {
        "jti": hashlib.sha256(subject.public_key).hexdigest(),
        "iat": 1_700_000_000,
        "iss": issuer.public_key.decode(),
        "sub": subject.public_key.decode(),
        "nats": {**claims, "version": 2},
    }
    head = encoded(b'{"typ":"JWT","alg":"ed25519-nkey"}')
    signed = f"{head}.{encoded(json.dumps(body).encode())}"
    return f"{signed}.{encoded(issuer.sign(signed.encode()))}"


async def test_a_password_in_the_url_lets_in_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path, "authorization { user: u, password: p }") as address:
        assert await gets_in(f"nats://u:p@{address}")
        assert not await gets_in(f"nats://u:wrong@{address}")


async def test_a_password_in_a_file_lets_in_whatever_characters_it_has(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("p/?#[@ 密\n", encoding="utf-8")
    settings = 'authorization { user: u, password: "p/?#[@ 密" }'
    async with serving(tmp_path, settings) as address:
        assert await gets_in(f"nats://{address}", ConnectOptions(user="u", password_file=file))
        file.write_text("wrong", encoding="utf-8")
        assert not await gets_in(f"nats://{address}", ConnectOptions(user="u", password_file=file))


async def test_an_nkey_lets_in(tmp_path: Path) -> None:
    user, stranger = new_key(nkeys.PREFIX_BYTE_USER), new_key(nkeys.PREFIX_BYTE_USER)
    settings = f"authorization {{ users: [ {{ nkey: {user.public_key.decode()} }} ] }}"
    async with serving(tmp_path, settings) as address:
        for key, expected in ((user, True), (stranger, False)):
            file = tmp_path / "seed.nk"
            file.write_bytes(key.seed)
            assert (
                await gets_in(f"nats://{address}", ConnectOptions(nkey_seed_file=file)) is expected
            )


async def test_a_credentials_file_lets_in(tmp_path: Path) -> None:
    operator, account = new_key(nkeys.PREFIX_BYTE_OPERATOR), new_key(nkeys.PREFIX_BYTE_ACCOUNT)
    user = new_key(nkeys.PREFIX_BYTE_USER)
    limits = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn"), -1)
    told = token(operator, account, {"type": "account", "limits": {**limits, "wildcards": True}})
    settings = (
        f"operator: {token(operator, operator, {'type': 'operator'})}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {account.public_key.decode()}: {told} }}"
    )
    everything = {"type": "user", "subs": -1, "data": -1, "payload": -1}
    file = tmp_path / "user.creds"
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{token(account, user, everything)}\n"
        "------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n",
        encoding="utf-8",
    )
    async with serving(tmp_path, settings) as address:
        assert await gets_in(f"nats://{address}", ConnectOptions(credentials_file=file))
        assert not await gets_in(f"nats://{address}")


async def test_tls_with_a_certificate_on_both_sides(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, "localhost")
    files = f'cert_file: "{cert}", key_file: "{key}", ca_file: "{cert}"'
    ours = ConnectOptions(tls_ca_file=cert, tls_cert_file=cert, tls_key_file=key)
    async with serving(tmp_path, f"tls {{ {files}, verify: true }}") as address:
        assert await gets_in(f"tls://{address.replace('127.0.0.1', 'localhost')}", ours)


GONE = Path("gone")


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        (ConnectOptions(credentials_file=GONE), r"nats\.credentials_file: .*: no such file"),
        (ConnectOptions(password_file=GONE), r"nats\.password_file: .*: cannot be read"),
        (ConnectOptions(nkey_seed_file=GONE), r"nats\.nkey_seed_file: .*: no such file"),
        (ConnectOptions(tls_ca_file=GONE), r"nats\.tls_ca_file.*No such file"),
    ],
)
def test_a_missing_file_is_named(access: ConnectOptions, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Connection("nats://127.0.0.1:9", (), access=access)


def test_credentials_stay_out_of_what_is_shown() -> None:
    shown = without_credentials("nats://u:p@a:1, tls://secret@b:2,nats://c:3")
    assert shown == "nats://a:1,tls://b:2,nats://c:3"
    assert without_credentials("nats://u:p://x@y@a:1,secret@b:2") == "nats://a:1,b:2"
