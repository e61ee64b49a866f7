"""The platform's API: how its calls end, how long they take, and what is left of the rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from receiver.bus.account_standing import AccountStanding, account_standings
from receiver.console.desk import Desk
from receiver.console.handler_state import Tone, numbers
from receiver.console.parts import Parts, uncounted
from receiver.console.screen import Asked, Screen
from receiver.operations.look.configured import ConfiguredAPI
from receiver.operations.look.processes import Process, processes


@dataclass(frozen=True, slots=True)
class ApiView:
    """Of all processes that make calls. `rows` are those that were called, the most failed first,
    since processes first ran; `outcomes` those of all rows. `callers` are the processes that can
    make calls, `rates` the accounts that did within the last hour; either is None where it cannot
    be read, of which `missing` says why.
    """

    title: str
    command: str
    tone: Tone
    text: str
    configured: ConfiguredAPI | None
    outcomes: dict[str, int]
    rows: tuple[dict[str, Any], ...]
    waiting: int | None
    callers: tuple[Process, ...] | None
    rates: tuple[AccountStanding, ...] | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What could be read of it; None for what could not."""

    counted: Mapping[str, Any] | None
    processes: Sequence[Process] | None
    rates: Sequence[AccountStanding] | None
    missing: tuple[str, ...]


async def read(desk: Desk, asked: Asked) -> ApiView:
    """As the processes last reported it."""
    return view(desk.configured.api, await known(desk, asked))


async def known(desk: Desk, asked: Asked) -> Known:
    """What can be read of it; each part that cannot is a sentence in `missing`."""
    parts = Parts()
    document = await parts.read(desk.counted())
    if document is not None and (unread := uncounted(document)):
        parts.note(*unread)
        document = None
    return Known(
        None if document is None else document["api"],
        await parts.read(processes(desk.connection, desk.subjects, asked.now)),
        await parts.read(account_standings(desk.connection, desk.subjects, asked.now)),
        parts.missing,
    )


def view(configured: ConfiguredAPI | None, found: Known) -> ApiView:
    """The page of what is known."""
    counted = found.counted or {}
    callers = None
    if found.processes is not None:
        callers = tuple(one for one in found.processes if one.calls and one.state != "ended")
    return ApiView(
        title="The platform's API",
        command="yizhan metrics --once",
        tone=_tone(found, callers or ()),
        text="; ".join(_words(found, callers or ())),
        configured=configured,
        outcomes=dict(counted.get("outcomes", {})),
        rows=tuple(counted.get("rows", ())),
        waiting=counted.get("waiting"),
        callers=callers,
        rates=None if found.rates is None else tuple(found.rates),
        missing=found.missing,
    )


def _tone(found: Known, callers: Sequence[Process]) -> Tone:
    if found.counted is None:
        return "unknown"
    if any(_is_open(one) for one in callers):
        return "bad"
    return "look" if any(row["failed"] for row in found.counted["rows"]) else "well"


def _words(found: Known, callers: Sequence[Process]) -> Iterator[str]:
    if found.counted is None:
        yield "what processes report cannot be read"
        return
    outcomes = found.counted["outcomes"]
    failed = {word: count for word, count in outcomes.items() if word != "ok"}
    if not outcomes:
        yield "no call was made"
    elif failed:
        yield f"{numbers(failed)} of {sum(outcomes.values()):,} calls since processes first ran"
    else:
        yield f"{outcomes['ok']:,} calls, none failed"
    if shut := sum(map(_is_open, callers)):
        yield f"the platform is left alone by {shut} process{'' if shut == 1 else 'es'}"


def _is_open(process: Process) -> bool:
    return process.state == "runs" and process.calls is not None and process.calls.is_open


SCREEN: Final = Screen(name="api", path="/api", template="api.html", read=read, menu="API", key="p")
