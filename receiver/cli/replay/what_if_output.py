"""What `yizhan replay what-if` prints: one JSON document, or a summary and what is not the same.

Both are written as the runs come: the text waits in a file, since its summary goes first.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, get_args

import typer

from receiver.cli.look.output import local, strong, zone
from receiver.client.masking import masked_reply
from receiver.errors import ConfigurationError
from receiver.replay.what_if.results import NO_RECORD, Called, Did, Result, Summary, Verdict

VERDICTS: Final[tuple[Verdict, ...]] = ("differs", "cannot_tell", "new", "same")
_MEANT: Final = {
    "new": "no run is on record, so there is nothing to compare with: records are kept for 14 days",
    "cannot_tell": "the handler asked for something that nothing answers",
}
Shown = Callable[[Any], Any]


class Printing(Protocol):
    """Takes the results, one by one, and prints them."""

    def add(self, result: Result) -> None:
        """One more."""

    def end(self, summary: Summary) -> None:
        """That was all."""


def checked_only(only: str | None) -> Sequence[Verdict]:
    """The verdicts of `--only`; all but `same` without it. Raises `ConfigurationError`."""
    if only is None:
        return VERDICTS[:-1]
    found = [verdict for verdict in get_args(Verdict) if verdict == only.replace("-", "_")]
    if not found:
        raise ConfigurationError(f"--only {only}: write one of {', '.join(VERDICTS)}")
    return found


@contextlib.contextmanager
def text_output(head: str, only: Sequence[Verdict]) -> Iterator[Printing]:
    """The summary, then the runs of these verdicts."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as waiting:
        yield _Text(head, only, waiting)


class _Text:
    def __init__(self, head: str, only: Sequence[Verdict], waiting: Any) -> None:
        self._head = head
        self._only = only
        self._waiting = waiting

    def add(self, result: Result) -> None:
        if result.verdict in self._only:
            self._waiting.write("\n" + "".join(f"{line}\n" for line in _lines(result)))

    def end(self, summary: Summary) -> None:
        typer.echo("\n".join(_summary(self._head, summary)))
        self._waiting.seek(0)
        shutil.copyfileobj(self._waiting, sys.stdout)
        sys.stdout.flush()


class JsonOutput:
    """One document: `handler`, `code_version`, `results`, `summary`."""

    def __init__(
        self, head: Mapping[str, Any], only: Sequence[Verdict], shown: Shown, *, reveal: bool
    ) -> None:
        self._only = only
        self._shown = shown
        self._reveal = reveal
        self._separator = ""
        opened = json.dumps(head, ensure_ascii=False)
        sys.stdout.write(f'{opened[:-1]}, "results": [')

    def add(self, result: Result) -> None:
        """See `Printing.add`."""
        if result.verdict not in self._only:
            return
        document = self._document(result)
        text = json.dumps(document, ensure_ascii=False, default=str)
        sys.stdout.write(f"{self._separator}\n{text}")
        self._separator = ","

    def end(self, summary: Summary) -> None:
        """See `Printing.end`."""
        found: Mapping[str, Any] = {
            "runs": summary.runs,
            **{str(verdict): summary.verdicts[verdict] for verdict in VERDICTS},
            "fields": dict(summary.fields.most_common()),
            "unanswered": dict(summary.unanswered.most_common()),
        }
        sys.stdout.write(f'\n], "summary": {json.dumps(found, ensure_ascii=False)}}}\n')
        sys.stdout.flush()

    def _document(self, result: Result) -> Mapping[str, Any]:
        return {
            "event_id": result.event_id,
            "event_type": result.event_type,
            "channel": result.channel,
            "order_id": result.order_id,
            "stream_seq": result.stream_seq,
            "timer": result.timer,
            "verdict": result.verdict,
            "unanswered": list(result.unanswered),
            "differences": [
                {"field": d.field, "then": d.then, "now": d.now} for d in result.differences
            ],
            "then": self._did(result.then),
            "now": self._did(result.now),
        }

    def _did(self, did: Did) -> Mapping[str, Any]:
        logs = [dict(line) for line in did.logs]
        return {
            "outcome": did.outcome,
            "at": did.at.isoformat() if did.at else None,
            "attempt": did.attempt,
            "error": did.error or None,
            "error_digest": did.error_digest,
            "published": [
                {"type": m.event_type, "order_id": m.order_id, "data": self._shown(m.data)}
                for m in did.published
            ],
            "published_count": did.published_count,
            "calls": [
                {"row": c.row, "changes_state": c.changes_state, "answered_from": c.answer or None}
                for c in did.calls
            ],
            "calls_count": did.calls_count,
            "scheduled": {key: at.isoformat() for key, at in did.scheduled.items()},
            "cancelled": list(did.cancelled),
            "effects": list(did.effects),
            "logs": logs
            if self._reveal
            else masked_reply(json.loads(json.dumps(logs, default=str))),
        }


def _summary(head: str, summary: Summary) -> Iterator[str]:
    yield strong(f"{head}: {summary.runs:,} runs")
    for verdict in VERDICTS:
        count = summary.verdicts[verdict]
        if count or verdict == "same":
            meant = f"   {_MEANT[verdict]}" if verdict in _MEANT else ""
            yield f"  {verdict.replace('_', ' '):<12} {count:>7,}{meant}"
    if summary.fields:
        yield f"differing in: {_counted(summary.fields)}"
    if summary.unanswered:
        yield f"not answered: {_counted(summary.unanswered)}"
    yield f"times are {zone()}"


def _counted(counts: Any) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def _lines(result: Result) -> Iterator[str]:
    order = f"order {result.order_id}" if result.order_id else "no order"
    timer = f", timer {result.timer!r}" if result.timer is not None else ""
    verdict = result.verdict.replace("_", " ")
    yield strong(f"#{result.stream_seq} {order} {result.event_type}{timer}: {verdict}")
    if result.then.outcome != NO_RECORD:
        yield f"  then  {_did(result.then)}"
    yield f"  now   {_did(result.now)}"
    for difference in result.differences:
        yield f"  {difference.field}: {_value(difference.then)} -> {_value(difference.now)}"
    for asked in result.unanswered:
        yield f"  not answered: {asked}"


def _did(did: Did) -> str:
    at = f"{local(did.at.isoformat())}  " if did.at else ""
    parts = [f"{at}{did.outcome}" + (f" (attempt {did.attempt})" if did.attempt > 1 else "")]
    parts += [f"published {_made(did)}"] if did.published_count else []
    parts += [f"called {', '.join(map(_call, did.calls))}"] if did.calls else []
    parts += [f"set timers {', '.join(map(repr, did.scheduled))}"] if did.scheduled else []
    parts += [f"effects {', '.join(did.effects)}"] if did.effects else []
    parts += [did.error] if did.error else []
    return "; ".join(parts)


def _made(did: Did) -> str:
    more = did.published_count - len(did.published)
    kinds = [made.kind for made in did.published]
    return ", ".join([*kinds, *([f"and {more} more"] if more else [])])


def _call(call: Called) -> str:
    change = " (a change)" if call.changes_state else ""
    source = f" from {call.answer}" if call.answer else ""
    return f"{call.row}{change}{source}"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
