"""What one handler is run with: the keywords of `@router.on`. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final, Literal, TypedDict

from pydantic import BaseModel, ValidationError

from receiver.errors import ConfigurationError
from receiver.settings import HandlerSettings
from receiver.settings.faults import explain
from receiver.settings.handlers import Order, Trusted
from receiver.worker.retry_policy import RetryPolicy

DEFAULT_TIMEOUT_S: Final = 300.0
"""What a run may take where neither its handler nor `[handlers]` says."""
DEFAULT_CONFIRM_WITHIN_S: Final = 1800.0
"""After how long an event that was not confirmed is given up, where no settings say it."""


class GivenOptions(TypedDict, total=False):
    """The keywords of `@router.on`, beside the models; a duration is seconds or a timedelta."""

    start: Literal["new", "all"] | datetime
    timeout: float | timedelta
    retry: RetryPolicy
    concurrency: int
    order: Order
    coalesce: float | timedelta
    coalesce_within: float | timedelta
    trust: Trusted
    was: str
    settings: type[BaseModel]
    off_without: str
    state: bool
    only: Literal["advance"]


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """What one handler is run with; None is what `[handlers]` says for all of them.

    `start` is where it begins that has no position yet: with what is stored from now on, with all
    that is stored, or at a time. A run may take `timeout_s`. `concurrency` is how many orders are
    in work at once. Events of an order that come within `coalesce_s` of each other make one run,
    of the newest, at the latest `coalesce_within_s` after the first, ten times as long where that
    is None. An event of less than the `trust` asked for is confirmed by the platform's API before
    the run, within `confirm_within_s` after it came in. `was` is the name under which it ran
    before, and whose position it takes over. `settings` is the model of the handler's own settings,
    `off_without` a field of it: while that is None, the handler does not run. With
    `state` the order's state is folded before a run, with `only` the handler runs on such events
    alone, by what they are to it.
    """

    start: Literal["new", "all"] | datetime = "new"
    timeout_s: float | None = None
    retry: RetryPolicy | None = None
    concurrency: int | None = None
    order: Order = "one_at_a_time"
    was: str | None = None
    settings: type[BaseModel] | None = None
    off_without: str | None = None
    state: bool = False
    only: Literal["advance"] | None = None
    coalesce_s: float | None = None
    coalesce_within_s: float | None = None
    trust: Trusted = "any"
    confirm_within_s: float | None = None


_DURATIONS: Final = ("timeout", "coalesce", "coalesce_within")
"""Without the unit that the settings have in their names."""
DEFAULTS: Final = HandlerOptions()
_NAMES: Final = tuple(GivenOptions.__annotations__)


def read_options(given: Mapping[str, Any], name: str) -> HandlerOptions:
    """The options of the handler `name`; raises `ConfigurationError` where one does not fit."""
    for unknown in given.keys() - set(_NAMES):
        near = get_close_matches(unknown, _NAMES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_NAMES)}"
        raise ConfigurationError(f"@router.on of {name}: there is no option {unknown!r}: {hint}")
    retry, model = given.get("retry"), given.get("settings")
    if not isinstance(retry, RetryPolicy | None):
        raise ConfigurationError(
            f"@router.on of {name}: retry: write RetryPolicy(max_attempts=..., delays_s=[...])"
        )
    if model is not None and not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ConfigurationError(
            f"@router.on of {name}: settings: give a pydantic model, the class and not its instance"
        )
    off_without = given.get("off_without")
    if off_without is not None and off_without not in getattr(model, "model_fields", ()):
        raise ConfigurationError(
            f"@router.on of {name}: off_without: write the name of a field of its settings' model"
        )
    checked = _checked(given, retry, name)
    return HandlerOptions(
        start=checked.start or "new",
        timeout_s=checked.timeout_s,
        retry=retry,
        concurrency=checked.concurrency,
        order=checked.order or "one_at_a_time",
        coalesce_s=checked.coalesce_s,
        coalesce_within_s=checked.coalesce_within_s,
        trust=checked.trust or "any",
        was=checked.was,
        settings=model,
        off_without=off_without,
        state=checked.state or checked.only is not None,
        only=checked.only,
    )


def _checked(given: Mapping[str, Any], retry: RetryPolicy | None, name: str) -> HandlerSettings:
    """The same bounds and sentences as in the settings."""
    same = ("start", "concurrency", "order", "was", "trust", "state", "only")
    values = {key: given.get(key) for key in same}
    values |= {f"{key}_s": given.get(key) for key in _DURATIONS}
    if retry is not None:
        values |= {"max_attempts": retry.max_attempts, "delays_s": tuple(retry.delays_s)}
    try:
        return HandlerSettings(**values)
    except ValidationError as error:
        lines = [explain(fault, {}) for fault in error.errors(include_url=False)]
        said = re.sub(rf"\b({'|'.join(_DURATIONS)})_s\b", r"\1", "; ".join(lines))
        raise ConfigurationError(f"@router.on of {name}: {said}") from None
