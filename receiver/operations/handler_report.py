"""A handler as JSON: the document of `yizhan handlers --json`, from which its text is made, too."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from receiver.operations.handlers import HandlerView
from receiver.worker.routing import Handler


def handler_report(view: HandlerView, now: datetime) -> dict[str, Any]:
    """One handler: what is not known, or not there, is null. Ages are in seconds.

    `waiting` events were delivered and do not run: they wait in a process for their turn, or for a
    short retry. `scheduled` are long retries. It is `pulled` from by some process, be it that
    its owner does not answer.
    """
    durable, handler, activity = view.durable, view.handler, view.activity
    unfinished = durable.unfinished if durable else 0
    return {
        "handler": view.name,
        "loaded": handler is not None,
        "place": handler.place if handler else None,
        "source": _source(handler) if handler else None,
        "off": handler.off or None if handler else None,
        "needs_api": handler.needs_api if handler else None,
        "events": [model.event_type for model in handler.models] if handler else None,
        "options": _options(handler) if handler else None,
        "owner": _owner(view),
        "pulled": durable is not None and durable.requests > 0,
        "durable": durable.name if durable else None,
        "subjects": list(durable.filters) if durable else None,
        "pending": durable.pending if durable else 0,
        "running": activity.running,
        "waiting": max(0, unfinished - activity.running),
        "scheduled": view.scheduled,
        "timers": view.timers,
        "coalescing": view.coalescing,
        "dead_letters": view.dead_letters,
        "oldest": _oldest(view, now),
        "paused": _pause(view),
    }


def options_text(options: Mapping[str, Any]) -> str:
    """The options of such a document, in a line."""
    state = ", state" if options["state"] else ""
    state = f", {options['only']} alone" if options["only"] else state
    coalesce = f", one run in {options['coalesce_s']:g} s" if options["coalesce_s"] else ""
    trust = f", {options['trust']} alone" if options["trust"] != "any" else ""
    was = f", was {options['was']}" if options["was"] else ""
    return (
        f"start {options['start']}, {options['timeout_s']:g} s a run, "
        f"{options['concurrency']} orders at once, {options['max_attempts']} attempts, "
        f"order {options['order']}{coalesce}{state}{trust}{was}"
    )


def _source(handler: Handler) -> str | None:
    """File and line, below the working directory without it."""
    code = getattr(inspect.unwrap(handler.function), "__code__", None)
    if code is None:
        return None
    file = Path(code.co_filename)
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"{shown}:{code.co_firstlineno}"


def _options(handler: Handler) -> dict[str, Any]:
    options = handler.options
    start = options.start
    return {
        "start": start.isoformat() if isinstance(start, datetime) else start,
        "timeout_s": options.timeout_s,
        "concurrency": options.concurrency,
        "max_attempts": options.retry.max_attempts if options.retry else None,
        "order": options.order,
        "coalesce_s": options.coalesce_s,
        "state": options.state,
        "only": options.only,
        "trust": options.trust,
        "was": options.was,
    }


def _owner(view: HandlerView) -> dict[str, Any] | None:
    owner = view.activity.owner
    if owner is None:
        return None
    return {"worker": owner.worker, "host": owner.host, "pid": owner.pid}


def _oldest(view: HandlerView, now: datetime) -> dict[str, Any] | None:
    if view.oldest is None:
        return None
    return {
        "stream_seq": view.oldest.seq,
        "time": view.oldest.time.isoformat(timespec="seconds"),
        "age_s": round((now - view.oldest.time).total_seconds(), 1),
        "expires_at": view.expires_at.isoformat(timespec="seconds") if view.expires_at else None,
    }


def _pause(view: HandlerView) -> dict[str, Any] | None:
    pause = view.durable.pause if view.durable else None
    if pause is None:
        return None
    return {
        "reason": pause.reason or None,
        "by": pause.by or None,
        "since": pause.since or None,
        "until": pause.until.isoformat(timespec="seconds"),
        "oldest_expires_first": view.expires_paused,
    }
