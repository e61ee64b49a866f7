"""SIGHUP while something is wrong: a retired secret is refused all the same."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2
import nats

from receiver.signatures import xport_signature
from tests.certificates import make_certificate
from tests.cli.conftest import Running, Yizhan
from tests.cli.test_secrets import health, server_of

OLD, NEW = "o" * 16, "n" * 16
BODY = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1","totalAmount":100}}'
GLOBAL_BODY = b'{"message_type":3,"data":{"purchase_id":1}}'


def source(name: str, token: str, dialect: str = "xport") -> str:
    return (
        f'[[sources]]\nname = "{name}"\ndialect = "{dialect}"\n'
        f'verification = "path_token"\npath_token = "{token}"\n'
    )


def write(yizhan: Yizhan, *parts: str) -> Path:
    file = yizhan.directory / "yizhan.toml"
    file.write_text("".join(parts))
    file.chmod(0o600)
    return file


async def reloaded(running: Running) -> None:
    running.process.send_signal(signal.SIGHUP)
    await running.line(lambda line: '"sources_reloaded"' in line)


async def post(
    base: str, path: str, body: bytes = BODY, *, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
        answer = await http.post(f"/callbacks/{path}", content=body, headers=headers)
    return answer.status_code, str(answer.json().get("status"))


async def test_a_token_is_retired_while_nats_is_away(yizhan: Yizhan) -> None:
    write(yizhan, source("s", OLD))
    running = await yizhan.start("receive", YIZHAN_NATS__URL="nats://127.0.0.1:9")
    base = await health(running)
    assert await post(base, f"s/{OLD}") == (200, "spooled")
    write(yizhan, source("s", NEW))
    await reloaded(running)
    assert (await post(base, f"s/{OLD}"))[0] == 401
    assert await post(base, f"s/{NEW}", BODY + b" ") == (200, "spooled")
    assert await running.stop() == 0
    assert "streams_not_widened" not in "".join(running.lines)


async def test_a_longer_window_waits_for_nats_and_holds_up_nothing(yizhan: Yizhan) -> None:
    write(yizhan, source("s", OLD))
    running = await yizhan.start("receive")
    base = await health(running)
    os.kill(server_of(running), signal.SIGSTOP)
    write(yizhan, source("s", NEW), source("t", NEW, "global"))
    await reloaded(running)
    assert (await post(base, f"s/{OLD}"))[0] == 401
    assert await post(base, f"t/{NEW}", GLOBAL_BODY) == (200, "spooled")
    await running.line(lambda line: '"streams_not_widened"' in line)
    os.kill(server_of(running), signal.SIGCONT)
    await running.line(lambda line: '"streams_widened"' in line)
    printed = await yizhan.run("url")
    client = await nats.connect(printed.out.strip())
    info = await client.jetstream().stream_info("YIZHAN")
    assert info.config.duplicate_window == 6.5 * 3600
    await client.close()
    assert await running.stop() == 0


async def test_what_needs_a_restart_is_named_and_its_value_is_not(yizhan: Yizhan) -> None:
    write(yizhan, source("s", OLD))
    running = await yizhan.start("receive", YIZHAN_NATS__URL="nats://127.0.0.1:9")
    await health(running)
    api = '[api]\naccess_key = "k"\nsecret = "hidden"\n'
    write(yizhan, "[receiver]\nlimit_bytes = 2048\n", api, source("s", OLD))
    await reloaded(running)
    line = await running.line(lambda line: '"restart_needed"' in line)
    assert json.loads(line)["settings"] == ["api", "receiver.limit_bytes"]
    assert await running.stop() == 0
    assert "hidden" not in "".join(running.lines)


async def test_a_reload_of_the_same_settings_needs_no_restart(yizhan: Yizhan) -> None:
    write(yizhan, source("s", OLD))
    running = await yizhan.start("receive", YIZHAN_NATS__URL="nats://127.0.0.1:9")
    await health(running)
    write(yizhan, source("s", NEW))
    await reloaded(running)
    assert await running.stop() == 0
    assert "restart_needed" not in "".join(running.lines)


async def test_a_certificate_that_cannot_be_used_holds_up_no_retirement(yizhan: Yizhan) -> None:
    cert, key = make_certificate(yizhan.directory, "localhost")
    tls = f'[receiver]\ntls_cert_file = "{cert}"\ntls_key_file = "{key}"\n'
    write(yizhan, tls, source("s", OLD))
    running = await yizhan.start("receive")
    await running.line(lambda line: line.startswith("Ctrl-C"))
    base = re.findall(r"(https\S+)/healthz", "".join(running.lines))[0]
    cert.write_text("no certificate")
    write(yizhan, tls, source("s", NEW))
    await reloaded(running)
    assert "certificate_not_reloaded" in "".join(running.lines)
    async with httpx2.AsyncClient(base_url=base, verify=False) as http:
        assert (await http.post(f"/callbacks/s/{OLD}", content=BODY)).status_code == 401
        assert (await http.post(f"/callbacks/s/{NEW}", content=BODY)).status_code == 200
    assert await running.stop() == 0


def signed(secret: str) -> dict[str, str]:
    timestamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(16)
    signature = xport_signature("key", timestamp, nonce, secret)
    return {
        "access-key": "key",
        "timestamp": timestamp,
        "nonce-str": nonce,
        "signature": signature,
    }


async def test_a_secret_file_that_is_exchanged_retires_the_old_secret(yizhan: Yizhan) -> None:
    mounted = yizhan.directory / "mounted"
    mounted.write_text(OLD + "\n")
    write(
        yizhan,
        '[[sources]]\nname = "s"\ndialect = "xport"\nverification = "signature"\n',
        'access_key = "key"\nsecret_files = ["mounted"]\n',
    )
    running = await yizhan.start("receive")
    base = await health(running)
    assert await post(base, "s", headers=signed(OLD)) == (200, "stored")
    mounted.write_text(NEW + "\n")
    await reloaded(running)
    assert (await post(base, "s", BODY + b" ", headers=signed(OLD)))[0] == 401
    assert (await post(base, "s", BODY + b" ", headers=signed(NEW)))[0] == 200
    mounted.unlink()
    running.process.send_signal(signal.SIGHUP)
    line = await running.line(lambda line: '"sources_not_reloaded"' in line)
    assert "sources[0].secret_files" in line
    assert (await post(base, "s", BODY + b"  ", headers=signed(NEW)))[0] == 200
    assert await running.stop() == 0
    assert OLD not in "".join(running.lines)
    assert NEW not in "".join(running.lines)
