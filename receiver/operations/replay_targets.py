"""Which events a replay takes, and to which handlers, as it is asked for. Performs no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from receiver.bus.read.filters import Filters
from receiver.errors import ConfigurationError
from receiver.worker.routing import Handler

HANDLER_RATE: Final = 50.0
"""Events a second to handlers, unless something else is asked for."""


def check_selects(filters: Filters, sequences: Sequence[int]) -> None:
    """Raises `ConfigurationError` where neither selects an event."""
    if not (filters.given or sequences):
        raise ConfigurationError(
            "says not which events: give a filter, such as --since 6h, or --seq '#1200'"
        )


def takers(names: Sequence[str], loaded: Sequence[Handler], *, has_api: bool) -> list[Handler]:
    """The handlers of these names; raises `ConfigurationError` for one that cannot run."""
    found = [_handler(name, loaded) for name in names]
    for handler in found:
        if handler.off:
            raise ConfigurationError(f"the handler {handler.name} is off: {handler.off}")
        if handler.needs_api and not has_api:
            raise ConfigurationError(
                f"the handler {handler.name} needs the platform's API: add an [api] section"
            )
    return found


def _handler(name: str, handlers: Sequence[Handler]) -> Handler:
    """By its own name, or by its module's where that holds one handler: `tracking`."""
    of_module = [h for h in handlers if h.function.__module__.rpartition(".")[2] == name]
    exact = [h for h in handlers if h.name == name]
    found = exact or of_module
    if len(found) == 1:
        return found[0]
    known = ", ".join(h.name for h in handlers) or "none is loaded"
    raise ConfigurationError(f"--to handler:{name}: no such handler; there are: {known}")
