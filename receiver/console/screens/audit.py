"""What operators did, the latest first."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.screen import Asked, Screen
from receiver.operations.audit_reading import DoneAct, acts
from receiver.operations.audit_trail import VERBS

_SHOWN: Final = 100
_OTHERS: Final = ("verb", "by")


@dataclass(frozen=True, slots=True)
class AuditView:
    """The acts as `yizhan audit --json` has them, and when each began, at the same place in
    `begun`. `words` are the filters, `verbs` those that there are.
    """

    title: str
    command: str
    words: dict[str, str]
    acts: tuple[dict[str, Any], ...]
    begun: tuple[datetime, ...]
    verbs: tuple[str, ...]


async def read(desk: Desk, asked: Asked) -> AuditView:
    """The last hundred that the filters select, or as many as they say."""
    filters = replace(asked.filters, limit=asked.filters.limit or _SHOWN)
    verb, by = asked.others.get("verb"), asked.others.get("by")
    return view(asked, await acts(desk.connection, desk.subjects, filters, verb=verb, by=by))


def view(asked: Asked, found: Sequence[DoneAct]) -> AuditView:
    """The page of acts, given the oldest first."""
    others = {name: asked.others[name] for name in _OTHERS if name in asked.others}
    options = [part for name, text in others.items() for part in (f"--{name}", text)]
    latest = found[::-1]
    return AuditView(
        title="What operators did",
        command=shlex.join([*shlex.split(asked.command("audit")), *options]),
        words={**asked.words, **others},
        acts=tuple(act.report() for act in latest),
        begun=tuple(act.begun.time for act in latest),
        verbs=VERBS,
    )


SCREEN: Final = Screen(
    name="audit",
    path="/audit",
    template="audit.html",
    read=read,
    words=("since", "until", "handler", "limit"),
    others=_OTHERS,
    menu="Audit",
    key="a",
)
