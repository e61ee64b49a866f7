"""Whether what is acknowledged survives a loss of power, as far as the server's monitoring says."""

from __future__ import annotations

from typing import Final

import httpx2

from receiver.bus.credentials import without_credentials
from receiver.cli.findings import Finding
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.settings import NatsSettings, Settings

_ANSWER_S: Final = 5.0
_LOST: Final = (
    "what was answered 200 within the last two minutes (the server's default) is lost, and the "
    "platform does not send it again"
)
_EXAMPLE: Final = "http://host:8222"
_CURE: Final = "set `sync_interval: always` in the server's jetstream block, or nats.replicas = 3"


async def durability(nats: NatsSettings) -> Finding:
    """Synced before the acknowledgement, or held by three servers, or else a warning: a start goes
    on, since the promise holds for as long as the server's machine keeps its power.
    """
    if nats.url is None:
        return Finding("the embedded server syncs before it acknowledges")
    if nats.monitor_url is None:
        return _unknown(nats, f"to have it looked up, set nats.monitor_url (such as {_EXAMPLE})")
    try:
        lazily = await _syncs_lazily(nats.monitor_url)
    except BusError as error:
        return _unknown(nats, str(error))
    if not lazily:
        return Finding("the server syncs before it acknowledges")
    if nats.replicas >= 3:
        return _replicated(nats)
    return Finding(
        f"the server acknowledges before it syncs: when its machine loses power, {_LOST}: {_CURE}",
        well=None,
    )


async def warn_of_loss(settings: Settings) -> None:
    """Log what `durability` warns of, once."""
    found = await durability(settings.nats)
    if found.well is None:
        get_logger("yizhan").warning("durability_in_doubt", action=found.text)


def _unknown(nats: NatsSettings, why: str) -> Finding:
    if nats.replicas >= 3:
        found = _replicated(nats)
        return found if nats.monitor_url is None else Finding(f"{found.text}; {why}", well=None)
    return Finding(
        f"the server may acknowledge before it syncs: when its machine loses power, {_LOST}: "
        f"{_CURE}; {why}",
        well=None,
    )


def _replicated(nats: NatsSettings) -> Finding:
    held = f"{nats.replicas} replicas: acknowledged by most of them"
    return Finding(f"{held}; a server may sync later")


async def _syncs_lazily(monitor_url: str) -> bool:
    url = f"{monitor_url.rstrip('/')}/varz"
    try:
        async with httpx2.AsyncClient(timeout=_ANSWER_S, trust_env=False) as http:
            config = (await http.get(url)).json()["jetstream"]["config"]
            return not config.get("sync_always", False)
    except (
        *(httpx2.HTTPError, httpx2.InvalidURL, ValueError, LookupError, TypeError),
        AttributeError,
    ) as error:
        raise BusError(
            f"nats.monitor_url: {without_credentials(url)} is no monitoring of a nats-server with "
            f"JetStream ({type(error).__name__}): write the server's `http` address, such as "
            f"{_EXAMPLE}, or leave it out"
        ) from error
