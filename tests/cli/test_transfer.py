"""`yizhan export` and `yizhan import` as an operator types them: to a cluster, and back again."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
import zstandard

from receiver.bus.connection import Connection
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.testing import eventually
from tests.bus.cluster import running_cluster
from tests.cli.conftest import Ended, Yizhan
from tests.forked import Forked, start_forked
from tests.operations.shelf import Shelf
from tests.transfer.moving import opened_place

pytestmark = pytest.mark.serial


async def ended(yizhan: Yizhan, *words: str, code: int = 0, **environ: Any) -> Ended:
    result = await yizhan.run(*words, **environ)
    assert result.code == code, result
    return result


async def messages(url: str) -> dict[str, int]:
    connection, subjects = Connection(url, ()), Subjects()
    assert await connection.start(patience_s=20)
    found = {}
    for stream in (subjects.stream, subjects.dead_stream):
        found[stream] = (await connection.jetstream.stream_info(stream)).state.messages
    await connection.stop()
    return found


async def test_everything_moves_from_the_embedded_server_to_a_cluster(
    yizhan: Yizhan, tmp_path: Path
) -> None:
    config = EmbeddedServerConfig(data_dir=tmp_path / "yizhan-data", port=0, sync_always=False)
    server = EmbeddedServer(config)
    await server.start()
    async with opened_place(server.url, Subjects(), keep=True) as place:
        shelf = Shelf(place.publisher, place.subjects)
        for number in range(5):
            await shelf.push(f"1{number}")
        assert await messages(server.url) == {"YIZHAN": 10, "YIZHAN_DEAD": 0}
    await server.stop()

    file = "everything.jsonl.zst"
    exported = await ended(yizhan, "export", file, "--all")
    assert exported.out == f"5 callbacks, 5 events, 1 audit written to {file}\n"
    refused = await ended(yizhan, "export", file, "--all", code=2)
    assert refused.err == f"yizhan: {file} exists: name another file, or give --force\n"
    checked = json.loads((await ended(yizhan, "import", file, "--check", "--json")).out)
    assert checked["counts"] == {"callbacks": 5, "events": 5, "audit": 1}

    await ended(yizhan, "import", file, "--yes", code=2, YIZHAN_NATS__SUBJECT_ROOT="shop")
    text = zstandard.ZstdDecompressor().decompressobj().decompress((tmp_path / file).read_bytes())
    cut = zstandard.compress(b"".join(text.splitlines(keepends=True)[:-3]))
    (tmp_path / "cut.zst").write_bytes(cut)
    partly = await ended(yizhan, "import", "cut.zst", "--yes", code=3)
    assert "the file is damaged: it is cut off behind line" in partly.err
    assert "callbacks: 5 already there" in partly.out

    await interrupted_and_piped(yizhan)

    async with running_cluster(tmp_path) as cluster:
        there: dict[str, Any] = {"YIZHAN_NATS__URL": cluster.url, "YIZHAN_NATS__REPLICAS": "3"}
        looked = await yizhan.run("check", **there)
        assert "(docs/moving.md)" in looked.out + looked.err
        dry = await ended(yizhan, "import", file, "--dry-run", **there)
        assert "events: 5 would be stored" in dry.out
        assert await messages(cluster.url) == {"YIZHAN": 0, "YIZHAN_DEAD": 0}
        first = json.loads((await ended(yizhan, "import", file, "--yes", "--json", **there)).out)
        assert first["counts"]["events"] == first["counts"]["callbacks"] == {"stored": 5}
        assert await messages(cluster.url) == {"YIZHAN": 10, "YIZHAN_DEAD": 0}
        again = await ended(yizhan, "import", file, "--yes", **there)
        assert "events: 5 already there" in again.out
        assert await messages(cluster.url) == {"YIZHAN": 10, "YIZHAN_DEAD": 0}


async def interrupted_and_piped(yizhan: Yizhan) -> None:
    """An export goes through a pipe; an import that waits for the rest of it is interrupted."""
    directory, environ = yizhan.directory, yizhan.environ()
    exporting = await start_forked(("export", "-", "--all"), directory=directory, environ=environ)
    packed, _ = await exporting.communicate()

    waiting, pipe = await fed(yizhan, packed[:-1])
    waiting.send_signal(signal.SIGINT)
    _, said = await waiting.communicate()
    os.close(pipe)
    assert said.decode().endswith("and the same command goes on with the rest\n")
    assert waiting.returncode == 130

    terminal, theirs = os.openpty()
    asking = await start_forked(
        ("import", "everything.jsonl.zst"), directory=directory, environ=environ, stdin=theirs
    )
    os.close(theirs)
    assert asking.stdout is not None
    await asking.stdout.readuntil(b"Import it?")
    asking.send_signal(signal.SIGINT)
    _, said = await asking.communicate()
    os.close(terminal)
    assert asking.returncode == 130
    assert said.decode().endswith("yizhan: stopped at the question: nothing was done\n")

    importing, pipe = await fed(yizhan, packed)
    os.close(pipe)
    out, _ = await importing.communicate()
    assert b"events: 5 already there" in out
    assert importing.returncode == 0


async def fed(yizhan: Yizhan, packed: bytes) -> tuple[Forked, int]:
    """An import that has read these bytes, and the pipe for more."""
    words, theirs, ours = ("import", "-", "--yes"), *os.pipe()
    importing = await start_forked(
        words, directory=yizhan.directory, environ=yizhan.environ(), stdin=theirs
    )
    os.close(theirs)
    os.write(ours, packed)
    await eventually(lambda: is_read(ours))
    return importing, ours


def is_read(pipe: int) -> bool:
    """Whether a pipe holds nothing that was not read."""
    return not int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


async def test_what_is_asked_for_has_to_make_sense(yizhan: Yizhan, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no export")
    for words, reason in (
        (("export", "x"), "says not what: give --all, or --what with events"),
        (("export", "x", "--what", "event"), "--what: event: is no kind: did you mean events?"),
        (("export", "x", "--all", "--order", "1"), "--all: leave it out, or --order"),
        (("import", "missing", "--check"), "missing: cannot be read: No such file"),
        (("import", "text", "--check"), "text: is no export: its first line is no manifest"),
        (("import", "text"), "there is no terminal to ask at: give --yes"),
    ):
        result = await ended(yizhan, *words, code=2)
        assert reason in result.err
