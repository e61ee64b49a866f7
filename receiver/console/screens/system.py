"""What it all runs on: processes and their versions, the server, the streams and their room."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.handler_state import Tone
from receiver.console.parts import Parts
from receiver.console.screen import Asked, Screen
from receiver.operations.durability import Durability
from receiver.operations.look.documents import moment
from receiver.operations.look.processes import Process, processes
from receiver.operations.look.room import SOON
from receiver.operations.look.server import ServerFacts, server_facts
from receiver.worker.status import WorkerStatus


@dataclass(frozen=True, slots=True)
class Running:
    """A process and the handlers that it runs; `tone` says whether it reports."""

    process: Process
    tone: Tone
    handlers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as `yizhan status --json` has it, and whether it is full soon."""

    document: dict[str, Any]
    tone: Tone
    full_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class SystemView:
    """`processes` are those that reported within the last hour, `streams`, `disk` and `spool` as
    `yizhan status --json` has them; None where it cannot be read, of which `missing` says why. The
    disk is that of an embedded server, the spool that of this machine; None of both elsewhere, as
    of the certificate where the settings here name none. `mixed` are the versions of processes that
    run, where there are several.
    """

    title: str
    command: str
    console: dict[str, str]
    server: ServerFacts | None
    durability: Durability
    processes: tuple[Running, ...] | None
    mixed: tuple[str, ...]
    streams: tuple[Stream, ...] | None
    disk: dict[str, Any] | None
    disk_full_at: datetime | None
    spool: dict[str, Any] | None
    certificate_at: datetime | None
    missing: tuple[str, ...]


async def read(desk: Desk, asked: Asked) -> SystemView:
    """As it was a moment ago."""
    parts, status = Parts(), await desk.status()
    server = await parts.read(server_facts(desk.connection))
    found = await parts.read(processes(desk.connection, desk.subjects, asked.now))
    workers = await parts.read(desk.workers())
    counted = await parts.read(desk.counted())
    if status["streams"] is None:
        parts.note(*status["missing"])
    running = None if found is None else tuple(_running(one, workers or ()) for one in found)
    disk = status["disk"]
    return SystemView(
        title="The system",
        command="yizhan status --json",
        console=_here(),
        server=server,
        durability=await desk.durability(),
        processes=running,
        mixed=_mixed(found or ()),
        streams=_streams(status["streams"], asked.now),
        disk=disk,
        disk_full_at=moment(disk["full_at"]) if disk else None,
        spool=status["spool"],
        certificate_at=moment(counted["certificate_expires_at"]) if counted else None,
        missing=parts.missing,
    )


def _here() -> dict[str, str]:
    """Of the process that serves the page."""
    return {
        "version": version("yizhan"),
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
    }


def _running(process: Process, workers: Sequence[WorkerStatus]) -> Running:
    tones: Mapping[str, Tone] = {"runs": "well", "silent": "bad", "ended": "unknown"}
    handlers = {
        name
        for worker in workers
        if (worker.host, worker.pid) == (process.host, process.pid)
        for name, one in worker.handlers.items()
        if one.owns
    }
    return Running(process, tones[process.state], tuple(sorted(handlers)))


def _mixed(found: Sequence[Process]) -> tuple[str, ...]:
    """Versions of those that run, where they differ: an upgrade is half done."""
    versions = sorted({one.version or "unknown" for one in found if one.state == "runs"})
    return tuple(versions) if len(versions) > 1 else ()


def _streams(
    documents: Sequence[Mapping[str, Any]] | None, now: datetime
) -> tuple[Stream, ...] | None:
    if documents is None:
        return None
    found = []
    for one in documents:
        full_at = moment(one["full_at"])
        tone: Tone = "look" if full_at is not None and full_at - now < SOON else "well"
        found.append(Stream(dict(one), tone, full_at, moment(one["last_at"])))
    return tuple(found)


SCREEN: Final = Screen(
    name="system", path="/system", template="system.html", read=read, menu="System", key="y"
)
