"""Two runs of one handler side by side: in what they differ, and what that means. No I/O.

What a record leaves out is not compared: of events and calls beyond the first hundred it has the
number alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from receiver.replay.what_if.results import Did, Difference, Verdict

Shown = Callable[[Any], Any]
"""Gives data as it may be shown, in the same shape."""


def differences(then: Did, now: Did, shown: Shown) -> list[Difference]:
    """Every field in which they differ."""
    found = []
    if then.outcome != now.outcome:
        found.append(Difference("outcome", then.outcome, now.outcome))
    if then.error_digest != now.error_digest:
        said = f"{now.error_digest} ({now.error})" if now.error_digest else None
        found.append(Difference("error", then.error_digest, said))
    found += _published(then, now, shown)
    found += _calls(then, now)
    if list(then.effects) != list(now.effects):
        found.append(Difference("effects", list(then.effects), list(now.effects)))
    return found


def verdict(then: Did, now: Did, found: Sequence[Difference], unanswered: Sequence[str]) -> Verdict:
    """What the differences mean. A call that was not made then is one whatever follows; what
    follows upon a call that nothing answers means nothing.
    """
    if unanswered and not _is_new_call(then, now):
        return "cannot_tell"
    return "differs" if found else "same"


def _is_new_call(then: Did, now: Did) -> bool:
    """Whether a call, up to the first that nothing answers, was not made then."""
    asked: list[str] = []
    for call in now.calls:
        asked.append(call.row)
        if call.answer is None:
            break
    is_whole = then.calls_count <= len(then.calls)
    return is_whole and bool(Counter(asked) - Counter(call.row for call in then.calls))


def _published(then: Did, now: Did, shown: Shown) -> Iterator[Difference]:
    if then.published_count > len(then.published):
        if then.published_count != now.published_count:
            yield Difference("published", then.published_count, now.published_count)
        return
    for number, (old, new) in enumerate(zip_longest(then.published, now.published)):
        place = f"published[{number}]"
        if old is None or new is None or old.kind != new.kind:
            yield Difference(place, old and old.kind, new and new.kind)
        elif old.data is not None:
            yield from _fields(f"{place}.data", old.data, new.data, shown)


def _fields(place: str, then: Any, now: Any, shown: Shown) -> Iterator[Difference]:
    """By their values; what is given are the shown ones, which may well be equal."""
    old, new = dict(_leaves(then, "")), dict(_leaves(now, ""))
    shown_old, shown_new = dict(_leaves(shown(then), "")), dict(_leaves(shown(now), ""))
    for path in dict.fromkeys([*old, *new]):
        if old.get(path) != new.get(path):
            yield Difference(f"{place}{path}", shown_old.get(path), shown_new.get(path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each plain value with its path; an empty object or list is one."""
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for number, part in enumerate(value):
            yield from _leaves(part, f"{path}[{number}]")
    else:
        yield path, value


def _calls(then: Did, now: Did) -> Iterator[Difference]:
    """How often each row was called: those of tasks side by side come in any order."""
    if then.calls_count > len(then.calls):
        if then.calls_count != now.calls_count:
            yield Difference("calls", then.calls_count, now.calls_count)
        return
    old, new = Counter(c.row for c in then.calls), Counter(c.row for c in now.calls)
    for row in dict.fromkeys([*old, *new]):
        if old[row] != new[row]:
            yield Difference(f"calls.{row}", old[row], new[row])
