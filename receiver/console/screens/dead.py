"""Dead letters by cause, then letter by letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import is_fingerprint
from receiver.console.desk import Desk
from receiver.console.screen import Asked, Screen
from receiver.operations.look.documents import header, letter_document, moment
from receiver.operations.look.newest import newest
from receiver.operations.look.snoozes import Snooze, by_cause, snoozes
from receiver.operations.repair.letters import LetterGroup
from receiver.operations.selecting import OF_LETTERS

_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Cause:
    """Letters of one handler that failed in one way; the rest is of the newest of them."""

    handler: str
    cause: str | None
    count: int
    first: datetime
    last: datetime
    error: str | None
    reason: str | None
    place: str | None
    code_version: str | None
    newest: int
    words: dict[str, str]
    """The filters that select these letters."""
    is_selectable: bool
    """Whether they select no others: no filter says "without a fingerprint"."""
    snooze: Snooze | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter in a list."""

    seq: int
    handler: str
    at: datetime | None
    event_id: str | None
    order_id: str | None
    attempts: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class DeadView:
    """The causes of what is selected, the most frequent first, and, where less than a handler is
    selected, the newest letters. `words` are the filters.
    """

    title: str
    command: str
    words: dict[str, str]
    count: int
    causes: tuple[Cause, ...]
    letters: tuple[Letter, ...] | None


async def read(desk: Desk, asked: Asked) -> DeadView:
    """By handler and fingerprint alone it is quick; other filters look at every letter."""
    letters, narrow = desk.letters, set(asked.filters.given) - {"handler"}
    groups = await letters.groups(asked.filters)
    held = by_cause(await snoozes(letters.reader, desk.subjects, asked.now))
    found: tuple[Letter, ...] | None = None
    if narrow:
        chosen = selection.letters(replace(asked.filters, limit=None), desk.subjects)
        if asked.filters.cause and is_fingerprint(asked.filters.cause):
            chosen = replace(chosen, nats_subjects=chosen.nats_subjects[:1])
        found = tuple(map(_letter, await newest(letters.reader, chosen, _SHOWN)))
    return view(asked, groups, found, held)


def view(
    asked: Asked,
    groups: Sequence[LetterGroup],
    letters: tuple[Letter, ...] | None,
    held: Mapping[tuple[str, str | None], Snooze],
) -> DeadView:
    """The page of groups of letters."""
    count = sum(group.count for group in groups)
    causes = Counter(group.handler for group in groups)
    return DeadView(
        title="Dead letters" if count != 1 else "One dead letter",
        command=asked.command("dead", "list"),
        words=dict(asked.words),
        count=count,
        causes=tuple(
            replace(
                _cause(group, asked, is_alone=causes[group.handler] == 1),
                snooze=held.get((group.handler, group.cause)),
            )
            for group in groups
        ),
        letters=letters,
    )


def _cause(group: LetterGroup, asked: Asked, *, is_alone: bool) -> Cause:
    words = {**asked.words, "handler": group.handler}
    if group.cause is not None:
        words["cause"] = group.cause
    return Cause(
        handler=group.handler,
        cause=group.cause,
        count=group.count,
        first=group.first,
        last=group.last,
        error=group.error,
        reason=group.reason,
        place=group.place,
        code_version=group.code_version,
        newest=group.newest,
        words=words,
        is_selectable=is_alone or group.cause is not None,
    )


def _letter(stored: StoredMessage) -> Letter:
    document = letter_document(stored)
    return Letter(
        seq=stored.stream_seq,
        handler=document["handler"] or "",
        at=moment(document["at"]) or stored.stored_at,
        event_id=document["event_id"],
        order_id=header(stored.headers, "ce-subject"),
        attempts=document["attempts"],
        reason=document["reason"],
    )


SCREEN: Final = Screen(
    name="dead",
    path="/dead",
    template="dead.html",
    read=read,
    words=OF_LETTERS,
    menu="Dead letters",
    key="d",
)
