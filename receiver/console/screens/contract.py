"""The catalogue of events: what is published on NATS, from the models that publish it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.screen import Asked, GoneError, Screen
from receiver.contract.catalogue import Entry, catalogue
from receiver.contract.described import Header, Part, headers, parts_used, properties_of
from receiver.contract.properties import Property

_COMMAND: Final = "yizhan events"


@dataclass(frozen=True, slots=True)
class EventType:
    """An event type in the list; `subscribe` is the subject of all its events."""

    type: str
    description: str
    subscribe: str


@dataclass(frozen=True, slots=True)
class ContractView:
    """Every event type by its domain, and the headers that events of all types have."""

    title: str
    command: str
    stream: str
    subscribe: str
    domains: dict[str, tuple[EventType, ...]]
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class TypeView:
    """One event type: `subject` has its variable tokens named. `example` is a complete message, as
    `subject`, `headers` and `data`; `parts` are the shared parts that its properties use.
    """

    title: str
    command: str
    type: str
    description: str
    subject: str
    subscribe: str
    made_from: str
    properties: tuple[Property, ...]
    parts: tuple[Part, ...]
    example: dict[str, Any]


async def read(desk: Desk, asked: Asked) -> ContractView:
    """All of them, below the subject root of the settings."""
    domains: dict[str, tuple[EventType, ...]] = {}
    for entry in catalogue(desk.subjects):
        domain = entry.event_type.partition(".")[0]
        domains[domain] = (*domains.get(domain, ()), _listed(entry))
    return ContractView(
        title="The contract",
        command=_COMMAND,
        stream=desk.subjects.stream,
        subscribe=desk.subjects.all_events,
        domains=domains,
        headers=headers(),
    )


def _listed(entry: Entry) -> EventType:
    return EventType(entry.event_type, entry.description, entry.filter)


async def read_type(desk: Desk, asked: Asked) -> TypeView:
    """The one of the path; raises `GoneError`."""
    name = asked.path["type"]
    for entry in catalogue(desk.subjects):
        if entry.event_type == name:
            return _described(entry)
    raise GoneError(f"There is no event type {name}: /contract lists those that there are.")


def _described(entry: Entry) -> TypeView:
    return TypeView(
        title=entry.event_type,
        command=_COMMAND,
        type=entry.event_type,
        description=entry.description,
        subject=entry.pattern,
        subscribe=entry.filter,
        made_from=entry.origin_text,
        properties=properties_of(entry),
        parts=parts_used(entry),
        example=entry.example(),
    )


SCREEN: Final = Screen(
    name="contract",
    path="/contract",
    template="contract.html",
    read=read,
    menu="Contract",
    key="c",
)
TYPE: Final = Screen(
    name="contract_type",
    path="/contract/{type}",
    template="contract_type.html",
    read=read_type,
)
