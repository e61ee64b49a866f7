"""A round trip of a plain nats-py client."""

from __future__ import annotations

from nats.aio.client import Client


async def subscribed(client: Client) -> None:
    """Return once the server has the client's subscriptions.

    One flush is not enough: its PING is written at once, before the SUB that waits to be sent, and
    what another connection then publishes may come before the SUB. The second PING comes after it.
    """
    for _ in range(2):
        await client.flush(timeout=60)
