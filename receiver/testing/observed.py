"""A `Runner` that keeps what each of its runs did."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog
from structlog.typing import FilteringBoundLogger

from receiver.bus.message import StoredMessage
from receiver.testing.publisher import RecordingPublisher
from receiver.testing.result import HandlerRun
from receiver.worker.routing import Handler
from receiver.worker.runner import Runner, RunResult

if TYPE_CHECKING:
    from receiver.testing.fake_api import Asked


class ObservedRunner(Runner):
    """Calls `on_run` with the id of the event and what the run did, once it has ended.

    `recorder` is where the messages go that it publishes; runs that overlap are shown with each
    other's messages and calls.
    """

    recorder: RecordingPublisher
    on_run: Callable[[str, HandlerRun], None]

    async def run(
        self,
        handler: Handler,
        message: StoredMessage,
        *,
        attempt: int,
        log: FilteringBoundLogger,
        failures: int | None = None,
        deaths: int = 0,
    ) -> RunResult:
        """See `Runner.run`; what the handler logs is kept, and not written."""
        calls: Sequence[Asked] = getattr(self.api, "asked", ())
        messages_before, calls_before, at = len(self.recorder.messages), len(calls), self.clock()
        own_log, lines = recording_log(**structlog.get_context(log))
        result = await super().run(
            handler, message, attempt=attempt, log=own_log, failures=failures, deaths=deaths
        )
        added = RecordingPublisher()
        added.messages = self.recorder.messages[messages_before:]
        run = HandlerRun(
            result.decision,
            published=added.events,
            dead_letters=added.dead_letters,
            error=result.error,
            raised=result.raised,
            asked=calls[calls_before:],
            logs=lines,
            attempt=attempt,
            at=at,
        )
        self.on_run(message.headers.get("ce-id", ""), run)
        return result


def recording_log(**bound: Any) -> tuple[FilteringBoundLogger, list[dict[str, Any]]]:
    """A logger, and the list that its lines go to."""
    lines: list[dict[str, Any]] = []

    def keep(_: Any, level: str, line: MutableMapping[str, Any]) -> str:
        lines.append({"level": level, **line})
        raise structlog.DropEvent

    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[keep],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        **bound,
    )
    return log, lines
