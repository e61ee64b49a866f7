"""Giving dead letters back, and dropping them: a page that says how many, then the act.

What is confirmed is pinned to the moment of the page: letters that come later are not among them.
"""

from __future__ import annotations

from collections import Counter
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
    GoneError,
    Screen,
    is_sequence,
)
from receiver.console.screens.confirming import (
    check_count,
    done,
    form_fields,
    recorded_filters,
)
from receiver.errors import ConfigurationError
from receiver.operations.acting import checked_reason
from receiver.operations.repair.letter_bulk import dropping, gone_text, notes_on, retrying
from receiver.operations.repair.letters import LetterRef, ref_of
from receiver.operations.repair.tally import Tally
from receiver.operations.selecting import OF_LETTERS

_LETTER: Final = "letter"
Verb = Literal["retry", "drop"]


@dataclass(frozen=True, slots=True)
class ConfirmView:
    """What would be done: to how many letters, of which handlers, and what hinders it. `fields` are
    those of the form that has it done.
    """

    title: str
    command: str
    verb: Verb
    count: int
    handlers: dict[str, int]
    notes: tuple[str, ...]
    fields: dict[str, str]
    back: str


async def confirm(verb: Verb, desk: Desk, asked: Asked) -> ConfirmView:
    """The page that asks; raises `GoneError` where nothing is selected."""
    counted = Counter[str]()
    if _LETTER in asked.others:
        counted[(await _one(desk, asked)).handler] += 1
    else:
        for group in await desk.letters.groups(asked.filters):
            counted[group.handler] += group.count
    if not counted:
        raise GoneError("No dead letter is selected (any more).")
    notes: list[str] = []
    if verb == "retry":
        taking = await desk.letters.taking(counted)
        gone = [name for name, durable in taking.items() if durable is None]
        known = await desk.letters.handlers() if gone else []
        notes = [gone_text(name, counted[name], known) for name in gone] + [*notes_on(taking)]
    return view(verb, asked, counted, notes)


def view(verb: Verb, asked: Asked, counted: Counter[str], notes: Sequence[str]) -> ConfirmView:
    """The page of what is selected."""
    count = counted.total()
    letters = "1 dead letter" if count == 1 else f"{count:,} dead letters"
    words: list[str] = [verb]
    if letter := asked.others.get(_LETTER):
        words.append(f"#{letter}")
    else:
        words += [] if asked.words else ["--all"]
    words += ["--reason", "TEXT"] if verb == "drop" else []
    return ConfirmView(
        title=f"Give {letters} back?" if verb == "retry" else f"Drop {letters} for good?",
        command=asked.command("dead", *words),
        verb=verb,
        count=count,
        handlers=dict(counted.most_common()),
        notes=tuple(notes),
        fields=form_fields(asked, _LETTER, count),
        back=f"/dead/{letter}" if letter else "/dead" + query(asked.words),
    )


async def retry(desk: Desk, asked: Asked) -> Done:
    """Give them back to their handlers, in the order of their events."""
    refs = await _chosen(desk, asked)
    taking = await desk.letters.taking(ref.handler for ref in refs)
    there = [ref for ref in refs if taking[ref.handler] is not None]
    tally = Tally()
    tally.counts["without handler"] = len(refs) - len(there)
    act = retrying(desk.trail(asked.viewer.name), recorded_filters(asked, _LETTER), refs)
    await act.run(len(refs), tally, partial(desk.letter_acts.retry, there, tally))
    return _done(asked, tally, [*notes_on(taking)])


async def drop(desk: Desk, asked: Asked) -> Done:
    """Delete them for good, for a reason."""
    why = checked_reason(
        asked.others.get("reason", ""), write="say why they are not needed, for whoever asks"
    )
    refs = await _chosen(desk, asked)
    tally = Tally()
    act = dropping(desk.trail(asked.viewer.name), recorded_filters(asked, _LETTER), refs, why)
    await act.run(len(refs), tally, partial(desk.letter_acts.drop, refs, tally))
    return _done(asked, tally, [])


async def _chosen(desk: Desk, asked: Asked) -> Sequence[LetterRef]:
    """What was confirmed; raises `ChangedError` where there are more now, or fewer."""
    if _LETTER in asked.others:
        return [await _one(desk, asked)]
    refs = await desk.letters.chosen(asked.filters)
    check_count(asked, len(refs), "letters")
    return refs


async def _one(desk: Desk, asked: Asked) -> LetterRef:
    text = asked.others[_LETTER]
    if not is_sequence(text):
        raise ConfigurationError(f"letter {text}: write the sequence of a letter")
    stored = await desk.letters.reader.get(desk.subjects.dead_stream, int(text))
    if stored is None:
        raise GoneError(f"There is no dead letter #{text} (any more): another was faster.")
    return ref_of(stored)


def _done(asked: Asked, tally: Tally, notes: Sequence[str]) -> Done:
    said = [tally.text, *tally.reasons, *notes]
    return done("/dead", asked, said, without=("until", "cause"))


RETRY: Final = Screen(
    name="dead-retry",
    path="/dead/retry",
    template="dead_confirm.html",
    read=partial(confirm, "retry"),
    words=OF_LETTERS,
    others=(_LETTER,),
    act=Act(retry),
)
DROP: Final = replace(
    RETRY, name="dead-drop", path="/dead/drop", read=partial(confirm, "drop"), act=Act(drop)
)
