"""`yizhan url`: what a subscriber connects with, and why there may be nothing to print."""

from __future__ import annotations

import json
import re
import signal

import nats

from tests.cli.conftest import Running, Yizhan

SOURCES = json.dumps([{"name": "open", "dialect": "xport", "verification": "none"}])


async def started(yizhan: Yizhan, **environ: str) -> Running:
    running = await yizhan.start("receive", **environ)
    await running.line(lambda line: line.startswith("Ctrl-C"))
    return running


async def test_it_prints_the_subscribers_url_and_the_operators(yizhan: Yizhan) -> None:
    running = await started(yizhan, YIZHAN_SOURCES=SOURCES, YIZHAN_NATS__SUBJECT_ROOT="shop")
    assert "a subscriber's URL: " in "".join(running.lines)
    printed = await yizhan.run("url")
    assert (printed.code, printed.err) == (0, "")
    assert re.fullmatch(r"nats://subscriber:[0-9a-f]{64}@127\.0\.0\.1:\d+\n", printed.out)
    client = await nats.connect(printed.out.strip())
    durable = await client.jetstream().pull_subscribe("shop.events.>", "mine", stream="SHOP")
    assert (await durable.consumer_info()).name == "mine"
    await client.close()
    own = await yizhan.run("url", "--operator")
    assert re.fullmatch(r"nats://yizhan:[0-9a-f]{64}@127\.0\.0\.1:\d+\n", own.out)
    client = await nats.connect(own.out.strip())
    assert await client.jetstream().delete_consumer("SHOP", "mine")
    await client.close()


async def test_on_development_defaults_no_password_is_needed(yizhan: Yizhan) -> None:
    running = await started(yizhan)
    assert "open to every process of this machine" in "".join(running.lines)
    for option in ((), ("--operator",)):
        printed = await yizhan.run("url", *option)
        assert (printed.code, bool(re.fullmatch(r"nats://127\.0\.0\.1:\d+\n", printed.out))) == (
            0,
            True,
        )


async def test_development_defaults_do_not_open_a_directory_with_users(yizhan: Yizhan) -> None:
    running = await started(yizhan, YIZHAN_SOURCES=SOURCES)
    before = (await yizhan.run("url")).out.rpartition("@")[0]
    assert await running.stop() == 0
    running = await started(yizhan)
    assert "a subscriber's URL: " in "".join(running.lines)
    assert (await yizhan.run("url")).out.rpartition("@")[0] == before


async def test_without_a_data_directory_it_ends_with_2_and_makes_none(yizhan: Yizhan) -> None:
    ended = await yizhan.anew.run("url")
    assert (ended.code, ended.out) == (2, "")
    assert "nats.data_dir: yizhan-data does not exist" in ended.err
    assert list(yizhan.directory.iterdir()) == []


async def test_with_a_server_of_ones_own_it_ends_with_2(yizhan: Yizhan) -> None:
    ended = await yizhan.run("url", YIZHAN_NATS__URL="nats://u:passwordpassword@n:4222")
    assert (ended.code, ended.out, "passwordpassword" in ended.err) == (2, "", False)
    assert "nats.url names a server" in ended.err


async def test_where_no_server_runs_it_ends_with_1(yizhan: Yizhan) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        running = await started(yizhan, YIZHAN_SOURCES=SOURCES)
        await running.stop(ending)
        ended = await yizhan.run("url")
        while ending == signal.SIGKILL and ended.code == 0:  # the server ends after its owner
            ended = await yizhan.run("url")
        assert (ended.code, ended.out) == (1, "")
        assert "no server runs on yizhan-data: start one with" in ended.err


async def test_help_describes_the_command(yizhan: Yizhan) -> None:
    printed = await yizhan.run("url", "--help")
    assert (printed.code, "--operator" in printed.out, "subscriber" in printed.out) == (
        0,
        True,
        True,
    )
