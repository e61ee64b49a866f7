"""README's steps, done in the order in which they stand there, in an empty directory."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path

from tests.cli.conftest import Running, Yizhan

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    return README.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def block(language: str, text: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


async def made_up(yizhan: Yizhan) -> Running:
    """What `make up` runs, at a quicker pace."""
    recipe = re.findall(
        r"^up:.*\n\t@\$\(BIN\)/yizhan (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    running = await yizhan.start(*shlex.split(recipe[0]), "--interval", "0.3")
    await running.line(lambda line: line.startswith("Ctrl-C"))
    return running


async def output(directory: Path, *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = await process.stdout.readline()
    if process.returncode is None:
        process.kill()
    await process.stdout.read()
    await process.wait()
    return line.decode()


async def test_the_steps_work_one_after_the_other(yizhan: Yizhan) -> None:
    here = yizhan.directory

    running = await made_up(yizhan)
    greeting = "".join(running.lines)
    curl = re.search(r"curl -i .*?\n\n", greeting, re.DOTALL)
    assert curl is not None
    curl_line = shlex.split(curl[0].replace("\\\n", " "))
    assert (await output(here, *curl_line)).startswith("HTTP/1.1 200")
    nats_url = re.findall(r"(nats://\S+)", greeting)[-1]
    subscriber = block("python", section("Subscribe")).replace("nats://127.0.0.1:4222", nats_url)
    (here / "subscriber.py").write_text(subscriber)
    seen = await output(here, sys.executable, "-u", "subscriber.py")
    assert re.match(r"yizhan\.payment\.\w+\.v1 \{", seen)
    assert await running.stop() == 0

    handler = section("Write a handler")
    (here / "my_handlers.py").write_text(block("python", handler))
    (here / "yizhan.toml").write_text(block("toml", handler))
    running = await made_up(yizhan)
    shipped = json.loads(await running.line(lambda line: '"event":"shipped"' in line))
    assert shipped["handler"] == "ship_it"

    commands = block("console", section("Replay")).splitlines()
    assert len(commands) == 6
    for command in commands:
        _, *arguments = shlex.split(command, comments=True)
        ended = await yizhan.run(*arguments)
        assert (ended.code, "warning" in ended.err) == (0, False), (command, ended.err)
    assert await running.stop() == 0
