"""What the settings need of our user on NATS: the rights, and the consumers that they are for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from receiver.bus.consumers import ConsumerPlan
from receiver.bus.metrics_stream import metrics_rights
from receiver.bus.rights import Right, caller_rights, handler_rights
from receiver.bus.runs_stream import runs_rights
from receiver.bus.state.rights import state_rights
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.limits import ConsumerLimits, consumer_plan


def consumer_plans(settings: Settings) -> Iterator[ConsumerPlan]:
    """The consumers of the handlers that run with the settings; nothing where they do not load."""
    subjects = Subjects(settings.nats.subject_root)
    with contextlib.suppress(ConfigurationError):  # which is reported of the handlers
        for handler in configured_handlers(settings.handlers):
            if not handler.off and (settings.api is not None or not handler.needs_api):
                yield consumer_plan(handler, subjects, ConsumerLimits())


def rights_to_handle(settings: Settings) -> tuple[Right, ...]:
    """What a process that runs the handlers needs beside what every process needs."""
    subjects = Subjects(settings.nats.subject_root)
    calling = caller_rights(subjects) if settings.api else ()
    handling = handler_rights(subjects, consumer_plans(settings))
    kept = (*runs_rights(subjects), *state_rights(subjects), *metrics_rights(subjects))
    return (*handling, *kept, *calling)
