"""`yizhan check` on this machine: the data directory, the ports, and the embedded server."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

from receiver.bus.streams import check_stream
from receiver.bus.subjects import Subjects
from receiver.cli.findings import Finding
from receiver.cli.listening import TakenByUsError, check_port
from receiver.cli.preflight import faults
from receiver.composition.bus import stream_plans
from receiver.embedded.data_directory import is_open, left_open, stored_config
from receiver.embedded.server import port_taken, server_binary
from receiver.errors import ConfigurationError
from receiver.settings import Settings


async def receiver_port(settings: Settings) -> AsyncIterator[Finding]:
    """Whether callbacks can come in where the settings say; that they do already is well."""
    host, port = settings.receiver.host, settings.receiver.port
    try:
        await check_port(settings.receiver)
    except TakenByUsError as taken:
        yield _running(f"yizhan is running here, on {host}:{port}", taken.answer)
    else:
        yield Finding(f"{host}:{port} is free" if port else f"any free port of {host}")


def _running(what: str, answer: Mapping[str, Any]) -> Finding:
    """The receiver's own word on itself."""
    reason = answer.get("reason")
    if answer.get("status") == "ready" and not reason:
        return Finding(f"{what}, and ready")
    able = "callbacks go to the spool" if answer.get("status") == "ready" else "callbacks get 503"
    return Finding(f"{what}, but {able}: {reason}", None)


async def embedded_server(settings: Settings) -> AsyncIterator[Finding]:
    """Whether an embedded server that does not run now would start, on what it stored before."""
    server_binary()
    nats = settings.nats
    if any(faults(settings)):
        return  # a directory that cannot be written was reported
    if is_open(nats.data_dir):
        raise left_open(nats.data_dir)
    if not _is_free(nats.port):
        raise ConfigurationError(await _taken(settings))
    yield Finding(f"embedded, not running now (data in {nats.data_dir})")
    for plan in stream_plans(settings, Subjects(nats.subject_root)):
        config = stored_config(nats.data_dir, plan.name)
        if config is None:
            yield Finding(f"stream {plan.name} is not there yet: a start makes it")
            continue
        check_stream({"config": config}, plan, clustered=False)
        yield Finding(f"stream {plan.name}, as the server left it")


async def _taken(settings: Settings) -> str:
    """To stop a server that a receiver stores on would be the wrong thing to do."""
    port, data_dir = settings.nats.port, settings.nats.data_dir
    try:
        await check_port(settings.receiver)
    except TakenByUsError:
        return (
            f"nats.port: {port} is taken, probably by the yizhan that is running here, which has "
            f"another nats.data_dir than {data_dir.absolute()}: run this where that was started, "
            "or give it the same settings"
        )
    except ConfigurationError:  # which is reported of the port
        pass
    return port_taken(port)


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
