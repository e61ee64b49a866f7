"""`yizhan spool`, and what a killed receiver leaves behind."""

from __future__ import annotations

import base64
import json
import re

import httpx2

from tests.cli.conftest import Running, Yizhan

AWAY = "nats://127.0.0.1:9"
SOURCES = json.dumps([{"name": "open", "dialect": "xport", "verification": "none"}])
BODY = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1","totalAmount":100}}'


async def url_of(running: Running) -> str:
    await running.line(lambda line: line.startswith("Ctrl-C"))
    found = re.search(r"http\S+/callbacks/open", "".join(running.lines))
    assert found is not None
    return found[0]


async def spool_three(yizhan: Yizhan) -> list[str]:
    """Three callbacks, answered 200 while NATS is away; then the receiver is killed."""
    running = await yizhan.start("receive", YIZHAN_NATS__URL=AWAY, YIZHAN_SOURCES=SOURCES)
    url = await url_of(running)
    ids = []
    async with httpx2.AsyncClient() as http:
        for number in range(3):
            answer = await http.post(url, content=BODY + b" " * number)
            assert (answer.status_code, answer.json()["status"]) == (200, "spooled")
            ids.append(answer.json()["callback_id"])
    running.process.kill()
    await running.process.wait()
    return ids


async def stored(yizhan: Yizhan) -> list[str]:
    ended = await yizhan.run("replay", "--since", "1h", "--to", "-", YIZHAN_SOURCES=SOURCES)
    return [json.loads(line)["callbackid"] for line in ended.out.splitlines()]


async def test_an_empty_spool_is_reported_and_makes_no_file(yizhan: Yizhan) -> None:
    (yizhan.directory / "yizhan-data").mkdir()
    ended = await yizhan.run("spool")
    assert (ended.code, "nothing is spooled" in ended.out) == (0, True)
    assert not (yizhan.directory / "yizhan-data" / "spool.sqlite3").exists()


async def test_a_killed_receiver_leaves_its_spool_to_the_next_start(yizhan: Yizhan) -> None:
    ids = await spool_three(yizhan)
    running = await yizhan.start("receive", YIZHAN_SOURCES=SOURCES)
    await running.line(lambda line: '"spool_drained"' in line)
    assert await running.stop() == 0
    assert await stored(yizhan) == ids


async def test_what_is_spooled_is_listed_and_exported(yizhan: Yizhan) -> None:
    ids = await spool_three(yizhan)
    listed = await yizhan.anew.run("spool")
    assert re.search(r"^3 callbacks in .*spool\.sqlite3, \d+ bytes, the oldest for", listed.out)
    assert re.search(r"^  open  3$", listed.out, re.MULTILINE)
    status = await yizhan.run("status", YIZHAN_NATS__URL=AWAY, YIZHAN_SOURCES=SOURCES)
    assert re.search(
        r"\ANATS is away; 3 callbacks wait in the spool, the oldest for \d+ (s|min)\n"
        r"  open +3 callbacks in the spool\n\Z",
        status.out,
    )
    assert (status.code, "Traceback" in status.err) == (1, False)
    export = await yizhan.run("spool", "--export", "spool.jsonl", "--json")
    document = json.loads(export.out)
    assert (export.code, document["exported"], document["sources"]) == (0, 3, {"open": 3})
    file = yizhan.directory / "spool.jsonl"
    assert file.stat().st_mode & 0o077 == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["callback_id"] for line in lines] == ids
    bodies = [base64.b64decode(line["messages"][0]["body_base64"]) for line in lines]
    assert bodies == [BODY, BODY + b" ", BODY + b"  "]
    again = await yizhan.run("spool", "--export", "spool.jsonl")
    assert (again.code, "name a new file" in again.err) == (2, True)


async def test_what_is_spooled_is_drained_once_nats_is_there(yizhan: Yizhan) -> None:
    ids = await spool_three(yizhan)
    away = await yizhan.run("spool", "--drain", YIZHAN_NATS__URL=AWAY)
    assert (away.code, "NATS is away" in away.err) == (1, True)
    drained = await yizhan.run("spool", "--drain", YIZHAN_SOURCES=SOURCES)
    assert drained.code == 0, drained.err
    assert "3 callbacks stored in YIZHAN" in drained.out
    assert await stored(yizhan) == ids
