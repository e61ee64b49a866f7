"""What `yizhan replay what-if` does, in a process that does nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from receiver.bus.read import selection
from receiver.bus.read.filters import Filters, nearest
from receiver.cli.look.output import searching
from receiver.cli.replay.what_if_output import JsonOutput, Printing, checked_only, text_output
from receiver.composition.archive import opened_archive
from receiver.errors import ConfigurationError
from receiver.operations.look.archive import Archive
from receiver.operations.look.bodies import shown_data
from receiver.replay.what_if.answers import Recordings
from receiver.replay.what_if.guard import Guard, ProcessGuard
from receiver.replay.what_if.past import StreamPast
from receiver.replay.what_if.results import Summary, Verdict
from receiver.replay.what_if.what_if import what_if
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.execution import contain_subtasks
from receiver.worker.routing import Handler
from schemas.events import MODEL_OF_TYPE

_HANDLER: Final = "handler:"
_DEFAULT: Final = timedelta(hours=24)
_IMPORT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for."""

    handler: str
    filters: Filters
    recordings: Recordings
    only: Sequence[Verdict]
    reveal: bool
    as_json: bool

    @classmethod
    def of(
        cls,
        to: str,
        filters: Filters,
        recordings: Path | None,
        only: str | None,
        *,
        reveal: bool,
        as_json: bool,
    ) -> Self:
        """By the command's options; raises `ConfigurationError`."""
        if not to.removeprefix(_HANDLER) or not to.startswith(_HANDLER):
            raise ConfigurationError(f"--to {to}: write handler:NAME")
        if filters.since is None and filters.order_id is None:
            end = filters.until or datetime.now(UTC)
            filters = replace(filters, since=end - _DEFAULT)
        return cls(
            handler=to.removeprefix(_HANDLER),
            filters=filters,
            recordings=Recordings.of(recordings) if recordings else Recordings(),
            only=checked_only(only),
            reveal=reveal,
            as_json=as_json,
        )

    def shown(self, data: Any) -> Any:
        """Data of an event, masked unless it is to be revealed."""
        return shown_data(json.dumps(data).encode(), reveal=self.reveal)

    def output(self, handler: Handler) -> AbstractContextManager[Printing]:
        """How it is printed."""
        if not self.as_json:
            return text_output(f"{handler.name} (code {handler.code_version})", self.only)
        head = {"handler": handler.name, "code_version": handler.code_version}
        return nullcontext(JsonOutput(head, self.only, self.shown, reveal=self.reveal))


async def compare(wish: Wish, settings: Settings) -> Summary:
    """Load the handler, run it on what is selected, and print; from here on the process refuses
    what leaves it. Raises `ConfigurationError` and `BusError`.
    """
    contain_subtasks(asyncio.get_running_loop())
    guard = ProcessGuard()
    with guard.running(_IMPORT_S):
        handler = _loaded(wish.handler, settings)
    async with opened_archive(settings) as archive:
        return await _compared(wish, handler, archive, settings, guard)


async def _compared(
    wish: Wish, handler: Handler, archive: Archive, settings: Settings, guard: Guard
) -> Summary:
    wanted = selection.events(wish.filters, archive.subjects, await _taken(archive, handler))
    summary = Summary()
    with wish.output(handler) as printing:
        with searching(f"running {handler.name}") as search:
            results = what_if(
                archive.reader.read(wanted, scanned=search.scanned),
                handler,
                past=StreamPast(archive.connection, archive.subjects),
                subjects=archive.subjects,
                until=wish.filters.until or datetime.now(UTC),
                recorded=wish.recordings.sender(settings.api),
                guard=guard,
                shown=wish.shown,
                texts=settings.log.errors == "full",
                kept=timedelta(days=settings.nats.max_age_days),
            )
            async with aclosing(results) as found:
                async for result in found:
                    summary.add(result)
                    printing.add(result)
        printing.end(summary)
    return summary


def _loaded(name: str, settings: Settings) -> Handler:
    """The handler; one that needs the API needs no `[api]` here."""
    handlers = configured_handlers(settings.handlers)
    found = next((handler for handler in handlers if handler.name == name), None)
    if found is None:
        near = nearest(name, [handler.name for handler in handlers])
        raise ConfigurationError(f"--to handler:{name}: no such handler is loaded: {near}")
    if found.off:
        raise ConfigurationError(f"--to handler:{name}: it is off: {found.off}")
    return found


async def _taken(archive: Archive, handler: Handler) -> Sequence[str]:
    """The types that it takes today, and those that its consumer gives it until the deploy."""
    taken = [model.event_type for model in handler.models]
    for durable in await archive.durables():
        if durable.name == handler.durable:
            taken += map(_type_of, durable.filters)
    return [name for name in dict.fromkeys(taken) if name in MODEL_OF_TYPE]


def _type_of(subject: str) -> str:
    """`<domain>.<event>` of a filter of a consumer; empty for one that is of no events."""
    tokens = subject.split(".")
    return ".".join(tokens[3:5]) if tokens[1:2] == ["events"] else ""
