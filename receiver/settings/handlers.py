"""The section `[handlers]`, and `[handlers.NAME]` for one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field

from receiver.settings.section import Section

MAX_WINDOW_S: Final = 43_200
"""Half of the least time for which the stream may keep what waits."""
HANDLER_NAME: Final = r"[A-Za-z0-9_]{1,64}"


def _start(value: Any) -> Any:
    """`new`, `all` or a time with an offset, which TOML has and JSON has as text."""
    if value in {"new", "all"}:
        return value
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        time = None
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise ValueError(
            'write "new", "all" or a time with its offset, such as 2026-01-31T08:00:00+08:00'
        )
    return time


def _delays(value: Any) -> Any:
    """A list of seconds, in a variable as JSON."""
    try:
        delays = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        delays = None
    if not isinstance(delays, list | tuple) or not delays:
        raise ValueError("write a list of seconds, such as [1, 60, 3600]")
    return delays


def _name(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(HANDLER_NAME, value):
        raise ValueError("write the name of a handler: at most 64 ASCII letters, digits and '_'")
    return value


def _words(value: Any) -> Any:
    """A list of words, in a variable with spaces between."""
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise ValueError('write a list of event types or patterns, such as ["order.*"]')
    return words


def _seconds(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


Start: TypeAlias = Annotated[Literal["new", "all"] | datetime, BeforeValidator(_start)]
"""Where a handler that has no position yet begins in the stream."""
Order: TypeAlias = Literal["one_at_a_time", "strict", "none"]
"""Which events of one order wait for each other."""
Only: TypeAlias = Literal["advance"]
"""Which events of an order a handler runs on, by what they are to the order's state."""
Trusted: TypeAlias = Literal["any", "requeried"]
"""Which events a handler runs on: any, or what the platform's API has confirmed."""
Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds), Field(gt=0, allow_inf_nan=False)]
Window: TypeAlias = Annotated[
    float, BeforeValidator(_seconds), Field(gt=0, le=MAX_WINDOW_S, allow_inf_nan=False)
]
"""How long an event waits for a newer one."""
Concurrency: TypeAlias = Annotated[int, Field(ge=1, le=1024)]
Attempts: TypeAlias = Annotated[int, Field(ge=1)]
Delays: TypeAlias = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...], BeforeValidator(_delays)
]
Patterns: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_words)]
HandlerName: TypeAlias = Annotated[str, BeforeValidator(_name)]


class HandlerSettings(Section):
    """What one handler is run with, in place of what its `@router.on` says; None leaves that.

    One that is not `enabled` is loaded and not run. `events` are patterns of event types, such as
    `order.*`: of what it is registered for, it is given these alone. `delays_s` is how long to wait
    after each failure, the last one ever after. Events of one order that come within `coalesce_s`
    of each other make one run, at the latest `coalesce_within_s` after the first. With
    `trust = "requeried"` each event is confirmed by the platform's API first. `settings` are the
    handler's own, for the model that it gives.
    """

    enabled: bool = True
    events: Patterns | None = None
    start: Start | None = None
    timeout_s: Seconds | None = None
    concurrency: Concurrency | None = None
    max_attempts: Attempts | None = None
    delays_s: Delays | None = None
    order: Order | None = None
    state: bool | None = None
    only: Only | None = None
    coalesce_s: Window | None = None
    coalesce_within_s: Window | None = None
    trust: Trusted | None = None
    was: HandlerName | None = None
    settings: dict[str, Any] | None = Field(default=None, repr=False)


class HandlersSettings(Section):
    """Which handlers run: import strings `module:router`; installed plug-ins are found besides.

    What stands here holds for every handler that does not say otherwise. A run may take
    `timeout_s`; an event that the platform's API does not confirm `confirm_within_s` after it came
    in becomes a dead letter, where its handler asks for `trust = "requeried"`. `yizhan up` runs the
    handlers in so many `processes`. With a `port`, health and metrics are served there. Each
    further key is the name of a handler, with a section of its own.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, HandlerSettings] = Field(init=False)

    load: tuple[str, ...] = ("handlers:router",)
    concurrency: Concurrency = 16
    grace_s: float = Field(default=10.0, ge=0)
    max_attempts: Attempts = 8
    timeout_s: Seconds = 300.0
    confirm_within_s: Seconds = 1800.0
    processes: int = Field(default=1, ge=1, le=64)
    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535)

    @property
    def named(self) -> Mapping[str, HandlerSettings]:
        """The sections of single handlers, by the handler's name."""
        return self.__pydantic_extra__
