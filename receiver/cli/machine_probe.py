"""`yizhan check` on this machine: the data directory, the ports, and the embedded server."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import httpx2

from receiver.bus.streams import check_stream
from receiver.bus.subjects import Subjects
from receiver.cli.findings import Finding
from receiver.cli.preflight import faults
from receiver.composition.bus import stream_plans
from receiver.embedded.data_directory import is_open, left_open, stored_config
from receiver.embedded.server import port_taken, server_binary
from receiver.errors import ConfigurationError
from receiver.settings import ReceiverSettings, Settings
from receiver.web.server import bind


async def receiver_port(settings: Settings) -> AsyncIterator[Finding]:
    """Whether callbacks can come in where the settings say."""
    host, port = settings.receiver.host, settings.receiver.port
    try:
        bind(host, port).close()
    except ConfigurationError:
        if not await _is_ours(settings.receiver):
            raise
        yield Finding(f"{host}:{port} has a receiver already: another one could not start", None)
    else:
        yield Finding(f"{host}:{port} is free" if port else f"any free port of {host}")


async def _is_ours(receiver: ReceiverSettings) -> bool:
    """Whether what listens there is a receiver of Yizhan."""
    try:
        async with httpx2.AsyncClient(timeout=2, trust_env=False, verify=False) as http:
            answer = await http.get(f"{local_url(receiver)}/healthz")
            return bool(answer.json() == {"status": "alive"})
    except (httpx2.HTTPError, ValueError):
        return False


def local_url(receiver: ReceiverSettings) -> str:
    """Where a receiver with these settings is reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(receiver.host, receiver.host)  # noqa: S104
    scheme = "http" if receiver.tls_cert_file is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{receiver.port}"


async def embedded_server(settings: Settings) -> AsyncIterator[Finding]:
    """Whether an embedded server that does not run now would start, on what it stored before."""
    server_binary()
    nats = settings.nats
    if any(faults(settings)):
        return  # a directory that cannot be written was reported
    if is_open(nats.data_dir):
        raise left_open(nats.data_dir)
    if not _is_free(nats.port):
        raise ConfigurationError(port_taken(nats.port))
    yield Finding(f"embedded, not running now (data in {nats.data_dir})")
    for plan in stream_plans(settings, Subjects(nats.subject_root)):
        config = stored_config(nats.data_dir, plan.name)
        if config is None:
            yield Finding(f"stream {plan.name} is not there yet: a start makes it")
            continue
        check_stream({"config": config}, plan, clustered=False)
        yield Finding(f"stream {plan.name}, as the server left it")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
