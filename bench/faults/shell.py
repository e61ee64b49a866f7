"""Commands of the operating system that a fault needs."""

from __future__ import annotations

import asyncio
import os

from bench.faults.stage import SkippedError


async def run_command(*command: str) -> None:
    """Run a command; raises `SkippedError` with its output where it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise SkippedError(f"`{command[0]}` fails here: {output.decode().strip()[:100]}")


def need_root(what: str) -> None:
    """Raise `SkippedError` for whoever is not root."""
    if os.geteuid() != 0:
        raise SkippedError(f"{what} needs root")
