"""Health and metrics of `work` and of the worker processes of `up`, on `handlers.port`."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx2
import pytest

from receiver.testing import eventually
from tests.cli.conftest import Running, Yizhan
from tests.cli.test_check_and_up import HANDLERS, SOURCE


@pytest.fixture
def desk(yizhan: Yizhan, tmp_path: Path) -> Yizhan:
    (tmp_path / "my.py").write_text(HANDLERS)
    file = tmp_path / "yizhan.toml"
    file.write_text(f'{SOURCE}[handlers]\nload = ["my:router"]\nprocesses = 2\nport = 0\n')
    file.chmod(0o600)
    return yizhan


async def served(running: Running) -> str:
    line = await running.line(lambda line: '"handlers_served"' in line)
    return str(json.loads(line)["url"])


async def got(url: str) -> tuple[int, str]:
    async with httpx2.AsyncClient(timeout=60) as http:
        answer = await http.get(url)
    return answer.status_code, answer.text


@pytest.mark.parametrize(("command", "workers"), [("work", "0"), ("up", "01")])
async def test_one_port_speaks_for_all_processes(desk: Yizhan, command: str, workers: str) -> None:
    running = await desk.start(command)
    base = await served(running)

    async def ready() -> bool:
        return (await got(f"{base}/readyz"))[0] == 200

    await eventually(ready, within_s=90)
    alive, metrics, other = [await got(f"{base}/{page}") for page in ("healthz", "metrics", "x")]
    assert (alive[0], other[0]) == (200, 404)
    for worker in workers:
        assert f'yizhan_handler_owned{{handler="slow",worker="{worker}"}}' in metrics[1]
    assert metrics[1].count("yizhan_handler_owned{") == len(workers)
    assert 'yizhan_handler_pending{handler="slow"} 0.0' in metrics[1]
    assert await running.stop() == 0


async def test_a_port_that_is_taken_ends_the_start(desk: Yizhan) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = await desk.run("work", YIZHAN_HANDLERS__PORT=port)
    assert ended.code == 2
    assert f"handlers.port: cannot listen on 127.0.0.1:{port}: Address already in use" in ended.err
    assert "set handlers.port to another (0 picks a free one)" in ended.err
