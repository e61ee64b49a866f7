"""The handlers of the settings: loaded, and each with the options of its section. No I/O but
the import of their modules.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from receiver.errors import ConfigurationError
from receiver.settings import HandlerSettings, HandlersSettings
from receiver.settings.faults import explain
from receiver.worker.confirmation import check_confirmable
from receiver.worker.loading import load_handlers
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from schemas.events import EventData


def configured_handlers(settings: HandlersSettings) -> list[Handler]:
    """The handlers that `[handlers]` loads, none of their options open, also those that are off.

    `[handlers.NAME]` goes before `@router.on`, and that before `[handlers]`. Raises
    `ConfigurationError` as `load_handlers`, for a section that names no handler, and for settings
    that a handler's model does not take.
    """
    loaded = load_handlers(settings.load)
    _check_names(settings, [handler.name for handler in loaded])
    return [_configured(handler, settings) for handler in loaded]


def check_confirming(handlers: Iterable[Handler], *, configured: bool) -> None:
    """Raise `ConfigurationError` for a handler whose events are to be confirmed where no API is
    `configured`; one of a router that `needs_api` is left out there in any case.
    """
    for handler in handlers:
        asks = handler.options.trust == "requeried" and not (handler.needs_api or handler.off)
        if asks and not configured:
            raise ConfigurationError(
                f"the handler {handler.name} runs on confirmed events alone (trust), and there is "
                "no API to ask: add an [api] section to the settings, or set "
                f'handlers.{handler.name}.trust to "any"'
            )


def _check_names(settings: HandlersSettings, loaded: list[str]) -> None:
    for name in settings.named:
        if name not in loaded:
            near = get_close_matches(name, loaded, n=1, cutoff=0.5)
            known = f"loaded are {', '.join(loaded) or 'none'}"
            hint = f"did you mean {near[0]}?" if near else known
            raise ConfigurationError(f"handlers.{name}: no such handler: {hint}")


def _configured(handler: Handler, settings: HandlersSettings) -> Handler:
    section = settings.named.get(handler.name, HandlerSettings())
    given = handler.options
    policy = given.retry or RetryPolicy(max_attempts=settings.max_attempts)
    only = section.only or given.only
    options = replace(
        given,
        start=section.start or given.start,
        timeout_s=section.timeout_s or given.timeout_s or settings.timeout_s,
        retry=replace(
            policy,
            max_attempts=section.max_attempts or policy.max_attempts,
            delays_s=section.delays_s or policy.delays_s,
        ),
        concurrency=section.concurrency or given.concurrency or settings.concurrency,
        order=section.order or given.order,
        trust=section.trust or given.trust,
        confirm_within_s=settings.confirm_within_s,
        coalesce_s=section.coalesce_s or given.coalesce_s,
        coalesce_within_s=section.coalesce_within_s or given.coalesce_within_s,
        was=section.was or given.was,
        state=bool(given.state if section.state is None else section.state) or only is not None,
        only=only,
    )
    handler = replace(handler, models=_wanted(handler, section.events), options=options)
    check_confirmable(handler)
    if not section.enabled:  # its own settings may well be missing
        return replace(handler, off=f"handlers.{handler.name}.enabled is false")
    own, needed, off = _own_settings(handler, section), options.off_without, ""
    if needed and getattr(own, needed) is None:
        off = f"no handlers.{handler.name}.settings.{needed}"
    return replace(handler, settings=own, off=off)


def _wanted(handler: Handler, patterns: Sequence[str] | None) -> tuple[type[EventData], ...]:
    """The models whose types the patterns name; each must name one that the handler takes."""
    if patterns is None:
        return handler.models
    types = [model.event_type for model in handler.models]
    for pattern in patterns:
        if not fnmatch.filter(types, pattern):
            near = get_close_matches(pattern, types, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(types)}"
            raise ConfigurationError(
                f"handlers.{handler.name}.events: {pattern!r} is no event of it: {hint}"
            )
    matching = {name for pattern in patterns for name in fnmatch.filter(types, pattern)}
    return tuple(model for model in handler.models if model.event_type in matching)


def _own_settings(handler: Handler, section: HandlerSettings) -> BaseModel | None:
    model, where = handler.options.settings, f"handlers.{handler.name}.settings"
    if model is None:
        if section.settings:
            raise ConfigurationError(
                f"{where}: the handler gives no model for settings of its own: "
                "write @router.on(..., settings=TheModel), or leave the section out"
            )
        return None
    try:
        return model.model_validate(section.settings or {})
    except ValidationError as error:
        lines = [_sentence(where, fault, model) for fault in error.errors(include_url=False)]
        raise ConfigurationError("\n".join(lines)) from None


def _sentence(where: str, fault: Any, model: type[BaseModel]) -> str:
    return explain(fault | {"loc": (where, *fault["loc"])}, {where: model})
