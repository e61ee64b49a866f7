"""The server that a connection is to, by its own word."""

from __future__ import annotations

from dataclasses import dataclass

from receiver.bus.connection import Connection


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Its `version`, the id that it makes anew at each start, and whether it is one of a cluster,
    runs JetStream, and how many bytes a message may have.
    """

    version: str
    id: str
    is_clustered: bool
    has_jetstream: bool
    max_payload: int


async def server_facts(connection: Connection) -> ServerFacts:
    """Of the server that is connected now; raises `BusError` where none is."""
    client = connection.client
    return ServerFacts(
        client.server_release,
        client.server_id,
        client.is_clustered,
        client.has_jetstream,
        client.max_payload,
    )
