"""Callbacks are read again, or dropped for good: one, or what filters select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from receiver.console.desk import Desk
from receiver.console.rendering import query
from receiver.console.screen import (
    Act,
    Asked,
    Done,
    ForbiddenError,
    GoneError,
    Screen,
)
from receiver.console.screens.confirming import (
    check_count,
    done,
    form_fields,
    recorded_filters,
)
from receiver.console.screens.events import number
from receiver.errors import BusError, ConfigurationError, YizhanError
from receiver.operations.acting import checked_reason
from receiver.operations.repair.quarantine import RawRef
from receiver.operations.repair.quarantine_bulk import (
    dropping,
    plan_text,
    rereading,
)
from receiver.operations.repair.reparse import Findings
from receiver.operations.selecting import OF_CALLBACKS

_CALLBACK: Final = "callback"
_UNKNOWN: Final = "unknown"
Verb = Literal["reparse", "drop"]


@dataclass(frozen=True, slots=True)
class QuarantineConfirmView:
    """What would be done to how many callbacks; of reading again `plan` says what would come, and
    `changes` whether anything. `fields` are those of the form that has it done.
    """

    title: str
    command: str
    verb: Verb
    count: int
    plan: tuple[str, ...]
    changes: bool
    fields: dict[str, str]
    back: str


async def confirm(verb: Verb, desk: Desk, asked: Asked) -> QuarantineConfirmView:
    """The page that asks; raises `GoneError` where nothing is selected."""
    if not asked.may("operator"):  # a dry run reads every callback that is selected
        raise ForbiddenError(f"{asked.viewer.name} is viewer here, and this takes an operator")
    refs = await _selected(verb, desk, asked)
    if not refs:
        raise GoneError("No callback is selected (any more).")
    plan = Findings()
    if verb == "reparse":
        await desk.reparsing.run(refs, plan, dry=True)
    return view(verb, asked, len(refs), plan)


def view(verb: Verb, asked: Asked, count: int, plan: Findings) -> QuarantineConfirmView:
    """The page of what is selected."""
    many = "1 callback" if count == 1 else f"{count:,} callbacks"
    fields = form_fields(asked, _CALLBACK, count)
    words: list[str] = [verb]
    if seq := asked.others.get(_CALLBACK):
        words.append(f"#{seq}")
    else:
        words += [] if asked.words else ["--all"]
    if _is_unknown(verb, asked):
        fields[_UNKNOWN] = "yes"
        words.append("--unknown")
    words += ["--reason", "TEXT"] if verb == "drop" else []
    return QuarantineConfirmView(
        title=f"Read {many} again?" if verb == "reparse" else f"Drop {many} for good?",
        command=asked.command("quarantine", *words),
        verb=verb,
        count=count,
        plan=tuple(plan_text(plan, count)) if verb == "reparse" else (),
        changes=verb == "drop" or plan.counts["read"] > 0,
        fields=fields,
        back=f"/callbacks/{seq}" if seq else "/quarantine" + query(asked.words),
    )


async def reparse(desk: Desk, asked: Asked) -> Done:
    """Read them again, as settings and dialects are now, and store what is new."""
    refs, found = await _confirmed("reparse", desk, asked), Findings()
    act = rereading(desk.trail(asked.viewer.name), recorded_filters(asked, _CALLBACK), refs)
    await act.run(len(refs), found, partial(desk.reparsing.run, refs, found))
    return _done(asked, found)


async def drop(desk: Desk, asked: Asked) -> Done:
    """Delete them for good, for a reason: nothing else holds what they said."""
    why = checked_reason(
        asked.others.get("reason", ""), write="say why they are not needed, for whoever asks"
    )
    refs, found = await _confirmed("drop", desk, asked), Findings()
    act = dropping(desk.trail(asked.viewer.name), recorded_filters(asked, _CALLBACK), refs, why)
    await act.run(len(refs), found, partial(desk.reparsing.drop, refs, found))
    return _done(asked, found)


async def _confirmed(verb: Verb, desk: Desk, asked: Asked) -> Sequence[RawRef]:
    """What was confirmed; raises `ChangedError` where there are more now, or fewer."""
    refs = await _selected(verb, desk, asked)
    check_count(asked, len(refs), "callbacks")
    return refs


async def _selected(verb: Verb, desk: Desk, asked: Asked) -> Sequence[RawRef]:
    found, seq = desk.quarantine, number(asked, _CALLBACK)
    if seq is None:
        select = found.chosen_unknown if _is_unknown(verb, asked) else found.chosen
        return await select(asked.filters)
    try:
        stored = await found.one(f"#{seq}", seq, read=verb == "reparse")
    except (BusError, ConfigurationError):
        raise
    except YizhanError as error:
        raise GoneError(f"{error} (any more)") from None
    return [RawRef(stored.stream_seq, found.is_quarantined(stored))]


def _is_unknown(verb: Verb, asked: Asked) -> bool:
    return verb == "reparse" and _UNKNOWN in asked.others and _CALLBACK not in asked.others


def _done(asked: Asked, found: Findings) -> Done:
    said = [found.text, *found.reasons]
    return done("/quarantine", asked, said, without=("until",))


REPARSE: Final = Screen(
    name="quarantine-reparse",
    path="/quarantine/reparse",
    template="quarantine_confirm.html",
    read=partial(confirm, "reparse"),
    words=OF_CALLBACKS,
    others=(_CALLBACK, _UNKNOWN),
    act=Act(reparse),
)
DROP: Final = replace(
    REPARSE,
    name="quarantine-drop",
    path="/quarantine/drop",
    read=partial(confirm, "drop"),
    others=(_CALLBACK,),
    act=Act(drop),
)
