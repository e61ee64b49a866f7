"""The streams: set up once, widened when the settings ask for more, never narrowed or emptied.

Speaks the JetStream API in its own JSON, so that no field a newer server knows is lost on the way
through a client's model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from nats.aio.client import Client

from receiver.bus.jetstream_api import call
from receiver.bus.subjects import Subjects, overlap
from receiver.errors import BusError, ConfigurationError

MAX_AGE: Final = timedelta(days=90)
MARGIN: Final = timedelta(minutes=30)
"""What the duplicate window is longer than the longest retry horizon (design, section 2)."""
LIMIT_MESSAGE_BYTES: Final = 4 * 1024 * 1024

_NAME_IN_USE: Final = 10058
_STREAM_NOT_FOUND: Final = 10059
_SUBJECTS_OVERLAP: Final = 10065
_NO_CLUSTER: Final = 10074
_FLAGS: Final = ("allow_atomic", "allow_direct", "allow_msg_ttl", "allow_msg_schedules")


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What one stream must at least be; `duplicate_window` of zero leaves it alone.

    `replicas` is the number of servers that hold it. `stored_as`, where given, is what the stream
    makes of its one subject as it stores; `republished` what plain subscribers get once it is
    committed. An older version took in `formerly`, which is given up.
    """

    name: str
    subjects: Sequence[str]
    duplicate_window: timedelta
    replicas: int = 1
    stored_as: str | None = None
    republished: str | None = None
    formerly: Sequence[str] = ()

    def config(self) -> dict[str, Any]:
        """The configuration of a stream that does not exist yet (durations in nanoseconds)."""
        return {
            "name": self.name,
            "subjects": list(self.subjects),
            "storage": "file",
            "retention": "limits",
            "discard": "old",
            "max_age": _nanoseconds(MAX_AGE),
            "duplicate_window": _nanoseconds(self.duplicate_window),
            "num_replicas": self.replicas,
            **dict.fromkeys(_FLAGS, True),
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


class StreamState(NamedTuple):
    """What became of a stream: whether it was not there before, and how many servers hold it."""

    created: bool
    replicas: int


def plans(
    subjects: Subjects, retry_horizons: Sequence[timedelta], *, replicas: int = 1
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
        ),
        StreamPlan(subjects.dead_stream, (subjects.all_dead,), window, replicas),
    )


async def ensure_stream(client: Client, plan: StreamPlan) -> StreamState:
    """Create the stream, or bring what exists up to date; it keeps its messages and ids.

    Raises `ConfigurationError` where it contradicts the plan, `BusError` where NATS does not
    answer.
    """
    info = await call(client, f"STREAM.INFO.{plan.name}", {})
    if _error_code(info) == _STREAM_NOT_FOUND:
        made = await call(client, f"STREAM.CREATE.{plan.name}", plan.config())
        if _error_code(made) != _NAME_IN_USE:
            _raise_for_error(made, plan)
            return StreamState(created=True, replicas=plan.replicas)
        # Another process has just made it, with another window.
        info = await call(client, f"STREAM.INFO.{plan.name}", {})
    _raise_for_error(info, plan)
    existing = info["config"]
    for reason in contradictions(existing, plan):
        raise ConfigurationError(
            f"the stream {plan.name} exists and {reason}: "
            "set nats.subject_root to another name, or change the stream by hand"
        )
    wanted = widened(existing, plan)
    if wanted != existing:
        _raise_for_error(await call(client, f"STREAM.UPDATE.{plan.name}", wanted), plan)
    return StreamState(created=False, replicas=wanted["num_replicas"])


def contradictions(existing: Mapping[str, Any], plan: StreamPlan) -> list[str]:
    """Why an existing stream cannot keep the promise; empty where it can."""
    rules = (
        (existing.get("storage") == "file", "does not store on disk"),
        (existing.get("retention") == "limits", "does not keep what was consumed"),
        (not existing.get("no_ack"), "acknowledges nothing (no_ack)"),
        (not existing.get("sealed"), "is sealed"),
        (not existing.get("mirror"), "is a mirror of another"),
        (existing.get("max_msgs_per_subject", -1) <= 0, "drops the older messages of a subject"),
        (
            not 0 < existing.get("max_msg_size", -1) < LIMIT_MESSAGE_BYTES,
            f"refuses messages of {LIMIT_MESSAGE_BYTES} bytes (max_msg_size)",
        ),
    )
    return [
        *[reason for holds, reason in rules if not holds],
        *_foreign_mappings(existing, plan),
        *_overlapping(existing, plan),
    ]


def _foreign_mappings(existing: Mapping[str, Any], plan: StreamPlan) -> Iterator[str]:
    """Mappings of somebody else: messages would be stored, or seen, where nobody expects them."""
    wanted = plan.mappings()
    for name in ("subject_transform", "republish"):
        if existing.get(name) and existing[name] != wanted.get(name):
            yield f"maps subjects in its own way ({name})"


def _overlapping(existing: Mapping[str, Any], plan: StreamPlan) -> Iterator[str]:
    """What it takes in beside ours: not what it stores, since that would come in again."""
    if plan.stored_as is None:
        return
    for subject in existing.get("subjects") or ():
        ours = subject in plan.subjects or subject in plan.formerly
        if not ours and overlap(subject, plan.stored_as):
            yield (
                f"takes {subject}, which overlaps {plan.stored_as}, what it has to store and "
                f"republish of {plan.subjects[0]}"
            )


def widened(existing: Mapping[str, Any], plan: StreamPlan) -> dict[str, Any]:
    """The existing configuration with what the plan asks for beside it; nothing is taken away but
    the subjects of an older version.
    """
    config = {**existing, **plan.mappings()}
    subjects = [s for s in existing.get("subjects") or () if s not in plan.formerly]
    config["subjects"] = subjects + [s for s in plan.subjects if s not in subjects]
    window = _nanoseconds(plan.duplicate_window)
    config["duplicate_window"] = max(window, existing.get("duplicate_window", 0))
    config["num_replicas"] = max(plan.replicas, existing.get("num_replicas", 1))
    return config | dict.fromkeys(_FLAGS, True)


def _nanoseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * 1_000


def _error_code(reply: Mapping[str, Any]) -> int | None:
    code = reply.get("error", {}).get("err_code")
    return code if isinstance(code, int) else None


def _raise_for_error(reply: Mapping[str, Any], plan: StreamPlan) -> None:
    if "error" not in reply:
        return
    description = reply["error"].get("description", "unknown error")
    if _error_code(reply) == _SUBJECTS_OVERLAP:
        raise ConfigurationError(
            f"another stream already takes subjects of {plan.name}: "
            "set nats.subject_root to another name"
        )
    if _error_code(reply) == _NO_CLUSTER:
        raise ConfigurationError(
            f"nats.replicas: {plan.replicas} need a cluster, and this server is alone: "
            "set nats.replicas to 1, or nats.url to the servers of a cluster"
        )
    if 400 <= reply["error"].get("code", 500) < 500:
        raise ConfigurationError(f"NATS refuses the stream {plan.name}: {description}")
    raise BusError(f"NATS could not set up the stream {plan.name}: {description}")
