"""What each stream must at least be. Performs no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from receiver.bus.jetstream_api import nanoseconds
from receiver.bus.subjects import Subjects

MAX_AGE: Final = timedelta(days=90)
MARGIN: Final = timedelta(minutes=30)
"""What the duplicate window is longer than the longest retry horizon (docs/identity.md)."""
FLAGS: Final = ("allow_atomic", "allow_direct", "allow_msg_ttl", "allow_msg_schedules")


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What one stream must at least be; `duplicate_window` of zero leaves it alone.

    `replicas` is the number of servers that hold it. `stored_as`, where given, is what the stream
    makes of its one subject as it stores; `republished` what plain subscribers get once it is
    committed. An older version took in `formerly`, which is given up. What is older than `max_age`
    goes, and the oldest beyond `max_bytes`, where that is above 0.
    """

    name: str
    subjects: Sequence[str]
    duplicate_window: timedelta
    replicas: int = 1
    stored_as: str | None = None
    republished: str | None = None
    formerly: Sequence[str] = ()
    max_age: timedelta = MAX_AGE
    max_bytes: int = -1

    def config(self) -> dict[str, Any]:
        """The configuration of a stream that does not exist yet (durations in nanoseconds)."""
        return {
            "name": self.name,
            "subjects": list(self.subjects),
            "storage": "file",
            "retention": "limits",
            "discard": "old",
            "max_age": nanoseconds(self.max_age),
            "max_bytes": self.max_bytes,
            "duplicate_window": nanoseconds(self.duplicate_window),
            "num_replicas": self.replicas,
            **dict.fromkeys(FLAGS, True),
            **self.mappings(),
        }

    def mappings(self) -> dict[str, Any]:
        """How subjects are mapped on the way in and on the way out."""
        found: dict[str, Any] = {}
        if self.stored_as is not None:
            found["subject_transform"] = {"src": self.subjects[0], "dest": self.stored_as}
        if self.republished is not None:
            found["republish"] = {"src": self.republished, "dest": self.republished}
        return found


def plans(
    subjects: Subjects,
    retry_horizons: Sequence[timedelta],
    *,
    replicas: int = 1,
    max_age: timedelta = MAX_AGE,
    max_bytes: int = -1,
) -> tuple[StreamPlan, ...]:
    """The streams of one root; the window covers the longest retry horizon and half an hour."""
    window = max(retry_horizons, default=timedelta(0)) + MARGIN
    return (
        StreamPlan(
            subjects.stream,
            (subjects.all_input,),
            window,
            replicas,
            stored_as=subjects.everything,
            republished=subjects.all_events,
            formerly=subjects.formerly_taken,
            max_age=max_age,
            max_bytes=max_bytes,
        ),
        StreamPlan(
            subjects.dead_stream,
            (subjects.all_dead,),
            window,
            replicas,
            max_age=max_age,
            max_bytes=max_bytes,
        ),
    )
