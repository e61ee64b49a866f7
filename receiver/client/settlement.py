"""What became of a change whose outcome is unknown: the read call that shows it is made and read.

A row says beside itself by which call it is settled (`SettledBy`); a row that changes something and
says nothing has no such call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

from receiver.client.pages import Pages
from receiver.client.sender import Sender
from receiver.errors import APIError, OutcomeUnknownError, ReadCall
from receiver.resilience.backoff import Backoff

Verdict = Literal["done", "not done", "unknown"]

MOST_ITEMS: Final = 500
"""How many items of a list are looked at; a list that is longer shows nothing for sure."""
_BACKOFF: Final = Backoff((1.0, 2.0, 4.0, 8.0))


@dataclass(frozen=True, slots=True)
class Settled:
    """What the platform said of a change whose outcome was unknown.

    `result` is what the read call gave, a list for a call of pages; None where it was not made or
    failed with `error`. `unknown` remains where it shows neither the one nor the other: a person
    has to look.
    """

    verdict: Verdict
    result: Any = None
    error: APIError | None = None

    @property
    def is_done(self) -> bool:
        """Whether the change was made."""
        return self.verdict == "done"

    @property
    def may_repeat(self) -> bool:
        """Whether it was surely not made, so that it may be asked for again."""
        return self.verdict == "not done"


class ReadRow(Protocol):
    """A row that only reads."""

    place: str

    def bound(self, sender: Sender) -> Callable[..., Any]:
        """The method that calls by `sender`."""
        ...


@dataclass(frozen=True, slots=True)
class SettledBy:
    """The read call that shows what became of a change: a method of a group.

    The group is given by a function, since it may be the one that is being defined. `arguments`
    makes those of the method from the request and the time at which it was sent, by the platform's
    clock; `verdict` compares the request, what the method gave and that time.
    """

    group: Callable[[], type[Any]]
    method: str
    arguments: Callable[[Any, datetime], Mapping[str, Any]]
    verdict: Callable[[Any, Any, datetime], Verdict]

    @property
    def row(self) -> ReadRow:
        """The row that is called."""
        row: ReadRow = getattr(self.group(), self.method)
        return row


@dataclass(frozen=True, slots=True)
class Question:
    """A change whose outcome is unknown, and how to find it out."""

    by: SettledBy
    request: Any = field(repr=False)  # it may hold a name, a phone, an address
    sent_at: datetime

    @property
    def asking(self) -> ReadCall:
        """The read call, as a person would write it."""
        return ReadCall(self.by.row.place, self.by.arguments(self.request, self.sent_at))

    async def ask(self, sender: Sender) -> Settled:
        """Make the read call once."""
        given = self.by.arguments(self.request, self.sent_at)
        try:
            asked = self.by.row.bound(sender)(**given)
            if isinstance(asked, Pages):
                result: Any = [item async for item in asked.all(limit=MOST_ITEMS)]
            else:
                result = await asked
        except APIError as error:
            return Settled("unknown", error=error)
        verdict = self.by.verdict(self.request, result, self.sent_at)
        if verdict == "not done" and isinstance(result, list) and len(result) >= MOST_ITEMS:
            verdict = "unknown"
        return Settled(verdict, result)


def put_question(by: SettledBy | None, request: Any, error: OutcomeUnknownError) -> None:
    """Give the error what `settle` needs."""
    if by is not None:
        question = Question(by, request, datetime.fromtimestamp(error.sent_at, UTC))
        error.question, error.asking = question, question.asking


async def settle(
    error: OutcomeUnknownError,
    sender: Sender,
    *,
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
) -> Settled:
    """Ask what became of the change until it is done, or until `error.final_at`.

    The platform may yet work on a call that we gave up: before that time, "not done" is no answer.
    """
    question: Question | None = error.question
    if question is None:
        return Settled("unknown")
    time = asyncio.get_running_loop().time
    asked = 0
    while True:
        is_final = time() >= error.final_at
        settled = await question.ask(sender)
        if settled.is_done or is_final:
            return settled
        asked += 1
        await sleep(max(min(_BACKOFF.pause_s(asked), error.final_at - time()), 0.0))
