"""The options that every command that looks shares, and the filters that they make.

A command declares those that select something in what it reads:

    def tail(since: SinceOption = None, event_type: TypeOption = None, …) -> None:
        with refusing():
            filters = chosen(since=since, event_type=event_type, …)
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from receiver.bus.read.filters import Filters
from receiver.cli.options import past_time, time_range

SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="From when on: an age (30m, 2h, 7d), a date (2026-01-31, in China) or an RFC 3339 "
        "time.",
        show_default=False,
    ),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", help="Up to when; as --since.", show_default=False)
]
TypeOption = Annotated[
    str | None,
    typer.Option(
        "--type", help="A type (payment.succeeded) or a domain (payment).", show_default=False
    ),
]
ChannelOption = Annotated[
    str | None, typer.Option("--channel", help="taobao or 1688.", show_default=False)
]
OrderOption = Annotated[
    str | None, typer.Option("--order", help="An order, by its id.", show_default=False)
]
SourceOption = Annotated[
    str | None, typer.Option("--source", help="A source of the settings.", show_default=False)
]
HandlerOption = Annotated[
    str | None, typer.Option("--handler", help="A handler's name.", show_default=False)
]
CauseOption = Annotated[
    str | None,
    typer.Option(
        "--cause",
        help="A cause's fingerprint, or the type of its error (ValueError).",
        show_default=False,
    ),
]
FactOption = Annotated[
    str | None, typer.Option("--fact", help="A fact id (ce-factid).", show_default=False)
]
OriginOption = Annotated[
    str | None,
    typer.Option("--origin", help="push, handler, sweep, reparse or replay.", show_default=False),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", help="How many, the latest.", show_default=False)
]


def chosen(
    *,
    since: str | None = None,
    until: str | None = None,
    event_type: str | None = None,
    channel: str | None = None,
    order_id: str | None = None,
    source: str | None = None,
    handler: str | None = None,
    cause: str | None = None,
    fact_id: str | None = None,
    origin: str | None = None,
    limit: int | None = None,
) -> Filters:
    """The filters of a command's options; raises `ConfigurationError`."""
    first, last = _times(since, until)
    return Filters(
        since=first,
        until=last,
        event_type=event_type,
        channel=channel,
        order_id=order_id,
        source=source,
        handler=handler,
        cause=cause,
        fact_id=fact_id,
        origin=origin,
        limit=limit,
    )


def _times(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    now = datetime.now(UTC)
    if since is not None:
        return time_range(since, until, now)
    if until is None:
        return None, None
    return None, past_time("--until", until, now)
