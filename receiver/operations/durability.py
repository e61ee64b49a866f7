"""Whether what is acknowledged survives a loss of power, as far as the server's monitoring says."""

from __future__ import annotations

from typing import Final, NamedTuple

import httpx2

from receiver.bus.credentials import without_credentials
from receiver.errors import BusError
from receiver.settings import NatsSettings

_ANSWER_S: Final = 5.0
_LOST: Final = (
    "what was answered 200 within the last two minutes (the server's default) is lost, and the "
    "platform does not send it again"
)
_EXAMPLE: Final = "http://host:8222"
_CURE: Final = "set `sync_interval: always` in the server's jetstream block, or nats.replicas = 3"


class Durability(NamedTuple):
    """What is known of it in a sentence, and whether it is in doubt."""

    text: str
    in_doubt: bool = False


async def durability(nats: NatsSettings) -> Durability:
    """Synced before the acknowledgement, or held by three servers, or else in doubt: a start goes
    on, since the promise holds for as long as the server's machine keeps its power.
    """
    if nats.url is None:
        return Durability("the embedded server syncs before it acknowledges")
    if nats.monitor_url is None:
        return _unknown(nats, f"to have it looked up, set nats.monitor_url (such as {_EXAMPLE})")
    try:
        lazily = await _syncs_lazily(nats.monitor_url)
    except BusError as error:
        return _unknown(nats, str(error))
    if not lazily:
        return Durability("the server syncs before it acknowledges")
    if nats.replicas >= 3:
        return _replicated(nats)
    return Durability(
        f"the server acknowledges before it syncs: when its machine loses power, {_LOST}: {_CURE}",
        in_doubt=True,
    )


def _unknown(nats: NatsSettings, why: str) -> Durability:
    if nats.replicas >= 3:
        found = _replicated(nats)
        return (
            found if nats.monitor_url is None else Durability(f"{found.text}; {why}", in_doubt=True)
        )
    return Durability(
        f"the server may acknowledge before it syncs: when its machine loses power, {_LOST}: "
        f"{_CURE}; {why}",
        in_doubt=True,
    )


def _replicated(nats: NatsSettings) -> Durability:
    held = f"{nats.replicas} replicas: acknowledged by most of them"
    return Durability(f"{held}; a server may sync later")


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
