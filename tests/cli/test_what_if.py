"""`yizhan replay what-if`, in a process of its own: what it prints, and that nothing leaves it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.aio.client import Client

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.testing import eventually, make_event
from receiver.worker.interface import Context
from schemas.events import LogisticsTracked, OrderCreated, Parcel, Trace, TraceStep
from tests.cli.conftest import Yizhan
from tests.cli.test_check_and_up import SOURCE
from tests.replay.what_if.production import Production, version

TODAY = """
import asyncio, os, socket, subprocess, threading, time
import httpx2, nats
from yizhan import Context, Event, Router
from yizhan.events import LogisticsTracked, OrderCreated, Parcel, Trace, TraceStep

router = Router()
OUTSIDE = ("127.0.0.1", PORT)
URL = f"http://127.0.0.1:{OUTSIDE[1]}/"


def connect():
    socket.create_connection(OUTSIDE).sendall(b"from a thread")


def quietly(act):
    try:
        act()
    except OSError:
        pass


@router.on(OrderCreated, timeout=5)  # for the others it is more than enough
async def ship(event: Event[OrderCreated], ctx: Context) -> LogisticsTracked:
    match event.order_id:
        case "exits":
            os._exit(0)
        case "kills":
            os.kill(os.getpid(), 9)
        case "blocks":
            time.sleep(600)
        case "hangs":
            await asyncio.sleep(600)
        case "connects":
            quietly(connect)
        case "threads":
            thread = threading.Thread(target=quietly, args=[connect])
            thread.start()
            thread.join()
        case "asks":
            async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
                await client.get(URL)
        case "shares":
            await ctx.http.get(URL)
        case "publishes":
            client = await nats.connect(os.environ["YIZHAN_NATS__URL"], max_reconnect_attempts=0)
            await client.publish("somewhere")
        case "looks":
            await asyncio.get_running_loop().getaddrinfo("platform.invalid", 443)
        case "runs":
            subprocess.run(["true"], check=True)
    step = TraceStep(description="handed to " + ("B" if event.order_id == "text" else "A"))
    return LogisticsTracked(
        channel="1688",
        order_id=event.order_id,
        traces=(Trace(parcel=Parcel(waybill_no="1"), steps=(step,)),),
    )
"""
SAME = ("1", "2")
REFUSED = {
    "kills": "os.kill",
    "connects": "socket.connect 127.0.0.1:{port}",
    "threads": "socket.connect 127.0.0.1:{port}",
    "asks": "socket.connect 127.0.0.1:{port}",
    "shares": "ctx.http GET http://127.0.0.1",
    "publishes": "socket.connect {nats}",
    "looks": "socket.getaddrinfo platform.invalid:443",
    "runs": "subprocess.Popen",
}
CHANGED = ("exits", "blocks", "hangs", "text")


async def then(event: Event[OrderCreated], ctx: Context) -> LogisticsTracked:
    step = TraceStep(description="handed to A")
    trace = Trace(parcel=Parcel(waybill_no="1"), steps=(step,))
    return LogisticsTracked(channel="1688", order_id=event.order_id, traces=(trace,))


@pytest.fixture
async def outside() -> AsyncIterator[tuple[int, list[Any]]]:
    """A server that nothing is to come to: its port, and who came."""
    came: list[Any] = []

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


async def stored(client: Client, subjects: Subjects) -> dict[str, tuple[int, int]]:
    """How many messages each stream of the root holds, and the sequence of the last."""
    streams = await client.jetstream().streams_info()
    return {
        info.config.name or "": (info.state.messages, info.state.last_seq)
        for info in streams
        if subjects.root.upper() in (info.config.name or "").upper()
    }


async def test_new_code_is_compared_and_nothing_leaves_the_process(
    yizhan: Yizhan,
    connection: Connection,
    publisher: GroupCommitPublisher,
    subjects: Subjects,
    client: Client,
    nats_url: str,
    outside: tuple[int, list[Any]],
) -> None:
    port, came = outside
    production = Production(connection, publisher, subjects)
    await production.start()
    before = version(then, OrderCreated)
    for order in (*SAME, *REFUSED, *CHANGED):
        (message,) = await production.store(
            make_event(OrderCreated(channel="1688", order_id=order))
        )
        assert await production.run(before, message) == "done"
    await production.stop()
    (yizhan.directory / "today.py").write_text(TODAY.replace("PORT", str(port)))
    file = yizhan.directory / "yizhan.toml"
    file.write_text(f'{SOURCE}[handlers]\nload = ["today:router"]\n')
    file.chmod(0o600)
    environ: dict[str, Any] = {
        "YIZHAN_NATS__URL": nats_url,
        "YIZHAN_NATS__SUBJECT_ROOT": subjects.root,
    }
    runs = subjects.runs_stream
    everything = (len(SAME) + len(REFUSED) + len(CHANGED),) * 2

    async def recorded() -> bool:  # a run is done before its record is stored
        return (await stored(client, subjects))[runs] == everything

    await eventually(recorded, within_s=60)
    held = await stored(client, subjects)
    command = ("replay", "what-if", "--to", "handler:ship", "--since", "1h")
    ended = await yizhan.run(*command, "--json", "--only", "differs", **environ)
    same = await yizhan.run(*command, "--order", "1", **environ)
    text = await yizhan.run(*command, "--order", "text", "--limit", "9", "--reveal", **environ)

    assert ended.code == 3, ended
    document = json.loads(ended.out)
    assert document["summary"] | {"fields": {}, "unanswered": {}} == {
        "runs": len(SAME) + len(REFUSED) + len(CHANGED),
        "differs": len(CHANGED),
        "cannot_tell": len(REFUSED),
        "new": 0,
        "same": len(SAME),
        "fields": {},
        "unanswered": {},
    }
    address = nats_url.rpartition("/")[2]
    refused = {what.format(port=port, nats=address) for what in REFUSED.values()}
    assert set(document["summary"]["unanswered"]) == refused
    results = {result["order_id"]: result for result in document["results"]}
    assert results.keys() == set(CHANGED)
    errors = {order: result["now"]["error"] for order, result in results.items()}
    assert errors == {
        "exits": "SystemExit: 0",
        "blocks": "TimeLimitError: took longer than 5 s",
        "hangs": "TimeLimitError: took longer than 5 s",
        "text": None,
    }
    field = "published[0].data.traces[0].steps[0].description"
    assert results["text"]["differences"] == [{"field": field, "then": "***", "now": "***"}]
    assert "handed to" not in ended.out
    assert text.out.startswith("ship (")
    assert f'{field}: "handed to A" -> "handed to B"\n' in text.out
    assert (same.code, text.code) == (0, 3)
    assert await stored(client, subjects) == held
    assert came == []


async def test_what_cannot_be_is_refused_in_a_sentence(
    yizhan: Yizhan, nats_url: str, subjects: Subjects
) -> None:
    (yizhan.directory / "today.py").write_text(
        "import socket\nsocket.create_connection(('127.0.0.1', 1))\n"
    )
    file = yizhan.directory / "yizhan.toml"
    file.write_text(f'{SOURCE}[handlers]\nload = ["today:router"]\n')
    environ: dict[str, Any] = {
        "YIZHAN_NATS__URL": nats_url,
        "YIZHAN_NATS__SUBJECT_ROOT": subjects.root,
    }
    for words, said in (
        ((), "today cannot be imported: PermissionError: a what-if run does nothing outside"),
        (("--only", "others"), "--only others: write one of differs, cannot_tell, new, same"),
        (("--recordings", "nowhere"), "nowhere: cannot be read"),
        (("--since", "5 apples"), "--since: '5 apples': is no time"),
    ):
        name = ("what-if",) if words else ("run", "--what-if")
        ended = await yizhan.run("replay", *name, "--to", "handler:ship", *words, **environ)
        assert (ended.code, ended.out) == (2, ""), ended
        assert said in ended.err
