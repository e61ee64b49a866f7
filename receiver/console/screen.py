"""What a screen is: a row of the table, the request that it answers, what it gives back."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from receiver.bus.read.filters import Filters
from receiver.console.desk import Desk
from receiver.console.doors.viewer import Role, Viewer
from receiver.errors import YizhanError

_RANKS: Final[Mapping[Role, int]] = {"viewer": 0, "operator": 1, "admin": 2}


class View(Protocol):
    """What a screen shows: a frozen dataclass of plain values, which its template renders and its
    `.json` twin holds. `command` is the shell's command that shows the same, empty where none does.
    """

    @property
    def title(self) -> str:
        """The name of the page."""

    @property
    def command(self) -> str:
        """The same in the shell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for a screen: by whom, when; `path` are the variables of its URL, `words` the texts
    of the filters as the shell names them, `filters` what they say, `others` the rest of the query
    or, of an act, of its form.
    """

    viewer: Viewer
    now: datetime
    path: Mapping[str, str]
    words: Mapping[str, str]
    filters: Filters
    others: Mapping[str, str]
    reveal: bool = False

    def may(self, role: Role) -> bool:
        """Whether the viewer has this role, or one above it."""
        return _RANKS[self.viewer.role] >= _RANKS[role]

    def pinned(self) -> dict[str, str]:
        """The filters with absolute times and an end, for what is confirmed now and done later."""
        times = {"until": self.filters.until or self.now, "since": self.filters.since}
        return {**self.words, **{name: at.isoformat() for name, at in times.items() if at}}

    def command(self, *words: str) -> str:
        """A command of the shell with these filters."""
        options = [part for word, text in self.words.items() for part in (f"--{word}", text)]
        return shlex.join(["yizhan", *words, *options])


def is_sequence(text: str) -> bool:
    """Whether a text is a sequence of a stream: digits, and fewer than any stream needs."""
    return text.isascii() and text.isdecimal() and len(text) < 16


@dataclass(frozen=True, slots=True)
class Done:
    """An act is over: the page of the console to go to, without prefix, and what it says of it."""

    page: str
    sentence: str


class GoneError(YizhanError):
    """There is nothing of this name (any more); its text says what may help."""


class ChangedError(YizhanError):
    """What an act was confirmed for is not what it would be done to now; nothing was done."""


class ForbiddenError(YizhanError):
    """The viewer may not do this, or see this."""


class ElsewhereError(YizhanError):
    """What was asked for is another page: its path and query, without the prefix."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a POST to a screen's URL does, and who may."""

    do: Callable[[Desk, Asked], Awaitable[Done]]
    role: Role = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A row of the table. `words` are the filters that its query may hold, `others` its further
    words. `menu` is its word in the menu, and `key` goes there after `g`. `live` gives what is new
    on it as it comes, as server-sent events; `others` has the id of the last that came as `after`.
    """

    name: str
    path: str
    template: str
    read: Callable[[Desk, Asked], Awaitable[View]]
    words: Sequence[str] = field(default=())
    others: Sequence[str] = field(default=())
    menu: str = ""
    key: str = ""
    act: Act | None = None
    live: Callable[[Desk, Asked], Awaitable[AsyncIterator[bytes]]] | None = None

    @property
    def live_path(self) -> str:
        """Where what is new comes; before a text that may end as it likes, not behind."""
        return f"/live{self.path}" if "{" in self.path else f"{self.path}/live"

    @property
    def twin(self) -> str:
        """The path of its JSON."""
        return f"{self.path.rstrip('/') or f'/{self.name}'}.json"
