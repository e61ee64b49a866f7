"""The proxies in front of real receivers: who gets in, what is retried, what is never written."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from difflib import ndiff
from pathlib import Path

import httpx2
import pytest

from tests.deploy.conftest import DEPLOY, Spawn
from tests.deploy.proxies import (
    BODY,
    PATH,
    SENDER,
    TOKEN,
    Proxy,
    Receivers,
    caddy_of_one,
    nginx_of_one,
    nginx_of_two,
)

STRANGER = "127.0.0.3"
UNABLE = {"YIZHAN_NATS__URL": "nats://127.0.0.1:9", "YIZHAN_RECEIVER__SPOOL_LIMIT_BYTES": "0"}
MIB = 1024 * 1024
PATIENCE_S = 20.0
"""For a slow machine; a proxy that had waited for a receiver would answer 504."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs all of 127.0.0.0/8")

InFront = Callable[[Spawn, Path, int], Awaitable[Proxy]]
EACH_PROXY = pytest.mark.parametrize("in_front", [nginx_of_one, caddy_of_one])


@pytest.fixture
def receivers(spawn: Spawn, nats_url: str, tmp_path: Path) -> Receivers:
    return Receivers(spawn, nats_url, tmp_path)


@EACH_PROXY
async def test_a_callback_is_stored_for_who_really_sent_it(
    receivers: Receivers, spawn: Spawn, tmp_path: Path, in_front: InFront
) -> None:
    proxy = await in_front(spawn, tmp_path, await receivers.start())
    answer = await proxy.send()
    assert (answer.status_code, answer.json()["status"]) == (200, "stored")
    assert (await proxy.send()).json()["status"] == "duplicate"
    assert (await proxy.send("GET")).json()["status"] == "checked"
    forged = await proxy.send(sender=STRANGER, headers={"x-forwarded-for": SENDER})
    assert forged.status_code == 401


@EACH_PROXY
async def test_what_is_too_large_is_refused_by_the_receiver_itself(
    receivers: Receivers, spawn: Spawn, tmp_path: Path, in_front: InFront
) -> None:
    proxy = await in_front(spawn, tmp_path, await receivers.start())
    assert (await proxy.send(content=b"{" + b" " * (MIB - 2) + b"}")).status_code == 200
    answer = await proxy.send(content=b" " * (MIB + 1))
    assert (answer.status_code, answer.json()) == (413, {"error": "too large"})
    assert (await proxy.send(headers={"x-long": "a" * 17_000})).status_code in {400, 431}


@EACH_PROXY
async def test_only_callbacks_are_open_to_the_world(
    receivers: Receivers, spawn: Spawn, tmp_path: Path, in_front: InFront
) -> None:
    proxy = await in_front(spawn, tmp_path, await receivers.start())
    assert (await proxy.send("GET", "/healthz")).status_code == 200
    for path in ("/readyz", "/asyncapi.json", "/openapi.json", "/"):
        assert (await proxy.send("GET", path)).status_code == 404


@EACH_PROXY
async def test_a_receiver_that_is_gone_is_told_at_once_and_never_as_success(
    receivers: Receivers, spawn: Spawn, tmp_path: Path, in_front: InFront
) -> None:
    port = await receivers.start()
    proxy = await in_front(spawn, tmp_path, port)
    assert (await proxy.send()).status_code == 200
    receivers.kill(port)
    async with asyncio.timeout(PATIENCE_S):
        assert (await proxy.send()).status_code == 502
    await receivers.start(YIZHAN_RECEIVER__PORT=str(port))
    assert (await proxy.send()).status_code == 200


@EACH_PROXY
async def test_the_secret_part_of_the_url_is_in_no_log(
    receivers: Receivers, spawn: Spawn, tmp_path: Path, in_front: InFront
) -> None:
    port = await receivers.start()
    proxy = await in_front(spawn, tmp_path, port)
    await proxy.send(path=f"{PATH}?token={TOKEN}")
    await proxy.send(path=f"/{PATH}")
    with contextlib.suppress(httpx2.TransportError):  # cut off in the midst of it
        await proxy.send(content=b" " * (9 * MIB))
    receivers.kill(port)
    await proxy.send(headers={"authorization": TOKEN, "signature": TOKEN})
    assert "/callbacks/platform/..." in proxy.logged()
    assert TOKEN not in proxy.logged()


async def test_of_two_receivers_one_may_go_and_no_callback_is_refused(
    receivers: Receivers, spawn: Spawn, tmp_path: Path
) -> None:
    first, second = await receivers.start(), await receivers.start()
    proxy = await nginx_of_two(spawn, tmp_path, first, second)
    for number in range(20):
        if number == 6:
            receivers.kill(first)
        async with asyncio.timeout(PATIENCE_S):
            answer = await proxy.send(content=BODY % number)
        assert (answer.status_code, answer.json()["status"]) == (200, "stored")


async def test_what_one_receiver_cannot_store_is_given_to_the_other(
    receivers: Receivers, spawn: Spawn, tmp_path: Path
) -> None:
    unable, able = await asyncio.gather(receivers.start(**UNABLE), receivers.start())
    proxy = await nginx_of_two(spawn, tmp_path, unable, able)
    for number in range(4):
        answer = await proxy.send(content=BODY % number)
        assert (answer.status_code, answer.json()["status"]) == (200, "stored")
    assert '"503, 200"' in proxy.logged()


async def test_where_no_receiver_can_store_the_answer_is_503_with_its_word_when_to_come_again(
    receivers: Receivers, spawn: Spawn, tmp_path: Path
) -> None:
    first, second = await asyncio.gather(receivers.start(**UNABLE), receivers.start(**UNABLE))
    answer = await (await nginx_of_two(spawn, tmp_path, first, second)).send()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


def test_the_two_files_of_nginx_differ_where_they_must() -> None:
    one, two = (
        (DEPLOY / file).read_text(encoding="utf-8").splitlines()[2:]
        for file in ("proxy/nginx.conf", "compose/nginx.conf")
    )
    words = ("user ", "pid ", "_temp_path ", "_log ", "worker_processes ", "listen ", "server ")
    named = (*words, "server_name ", "ssl_certificate", "# Three failures")
    lines = (line.strip() for line in ndiff(one, two) if line[:1] in "+-")
    differing = [line.lstrip("+- ") for line in lines]
    assert [line for line in differing if line and not any(w in line for w in named)] == []
