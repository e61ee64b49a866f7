"""The values that a shell offers at Tab: by settings and catalogue, and those that only NATS knows
within a moment. Whatever fails offers nothing, since a shell has no place for a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import typer

if TYPE_CHECKING:
    from receiver.composition.bus import Bus
    from receiver.settings import Settings

_PATIENCE_S: Final = 1.0
Offer = Callable[[typer.Context, str], list[str]]


def event_types(_: typer.Context, begun: str) -> list[str]:
    """Event types and their domains."""
    from schemas.events import MODEL_OF_TYPE  # all models, which take a while

    domains = dict.fromkeys(name.partition(".")[0] for name in MODEL_OF_TYPE)
    return _matching([*domains, *MODEL_OF_TYPE], begun)


def channels(_: typer.Context, begun: str) -> list[str]:
    """The channels."""
    from schemas.statuses import Channel

    return _matching(get_args(Channel), begun)


def origins(_: typer.Context, begun: str) -> list[str]:
    """The origins of events."""
    from receiver.event import Origin

    return _matching(get_args(Origin), begun)


def sources(context: typer.Context, begun: str) -> list[str]:
    """The sources of the settings."""
    with _silent():
        return _matching((one.name for one in _settings(context).sources), begun)
    return []


def handlers(context: typer.Context, begun: str) -> list[str]:
    """The handlers of the settings."""
    with _silent():
        return _matching(_handlers(_settings(context)), begun)
    return []


def targets(context: typer.Context, begun: str) -> list[str]:
    """Where a replay goes: the handlers of the settings, or how another target begins."""
    with _silent():
        names = [f"handler:{name}" for name in _handlers(_settings(context))]
        return _matching([*names, "subject:", "file:", "-"], begun)
    return []


def causes(context: typer.Context, begun: str) -> list[str]:
    """The causes of the dead letters that there are."""

    async def ask(bus: Bus) -> Iterable[str]:
        from receiver.bus.durables import count_subjects

        client, subjects = bus.connection.client, bus.subjects
        counted = await count_subjects(client, subjects.dead_stream, subjects.all_dead)
        return dict.fromkeys(subject.rpartition(".")[2] for subject in counted)

    with _silent():
        return _matching(_asked(context, ask), begun)
    return []


def replays(context: typer.Context, begun: str) -> list[str]:
    """The replays that are kept."""

    async def ask(bus: Bus) -> Iterable[str]:
        from receiver.bus.state.store import StateStore
        from receiver.worker.replaying.record import PREFIX

        store = StateStore(bus.connection, bus.subjects)
        return [key.rpartition(".")[2] async for key, _ in store.scan(PREFIX)]

    with _silent():
        return _matching(_asked(context, ask), begun)
    return []


OFFERS: Final[dict[str, Offer]] = {
    "type": event_types,
    "channel": channels,
    "origin": origins,
    "source": sources,
    "handler": handlers,
    "cause": causes,
}
"""By the words of filters."""


def _matching(known: Iterable[str], begun: str) -> list[str]:
    return [name for name in known if name.startswith(begun)]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What goes wrong in the block, and what it prints, is dropped."""
    with (
        contextlib.suppress(Exception, SystemExit),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


def _settings(context: typer.Context) -> Settings:
    from receiver.observability.logs import configure_logs
    from receiver.settings import LogSettings, development

    configure_logs(LogSettings(level="error"), stream=io.StringIO())
    given: Any = context.params.get("config") or (context.parent and context.parent.params)
    config = given.get("config") if isinstance(given, dict) else given
    return development.load(Path(config) if config else None, keep=False)[0]


def _handlers(settings: Settings) -> list[str]:
    from receiver.worker.configuration import configured_handlers

    return [handler.name for handler in configured_handlers(settings.handlers)]


def _asked(context: typer.Context, ask: Callable[[Bus], Awaitable[Iterable[str]]]) -> Iterable[str]:
    """What a server that runs already answers at once; Tab starts none."""
    from receiver.composition.bus import opened_bus
    from receiver.embedded.data_directory import is_owned

    settings = _settings(context)
    if settings.nats.url is None and not is_owned(settings.nats.data_dir):
        return ()

    async def main() -> Iterable[str]:
        async with asyncio.timeout(_PATIENCE_S):
            async with opened_bus(settings, name="yizhan-complete") as bus:
                return await ask(bus)

    return asyncio.run(main())
