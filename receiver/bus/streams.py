"""The streams: set up once, widened when the settings ask for more, never narrowed or emptied.

Speaks the JetStream API in its own JSON, so that no field a newer server knows is lost on the way
through a client's model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from nats.aio.client import Client

from receiver.bus.jetstream_api import call
from receiver.bus.subjects import Subjects
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

    `replicas` is the number of servers that hold it.
    """

    name: str
    subjects: Sequence[str]
    duplicate_window: timedelta
    replicas: int = 1

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
        }


def plans(
    subjects: Subjects, retry_horizons: Sequence[timedelta], *, replicas: int = 1
) -> tuple[StreamPlan, ...]:
    """The streams of one root; the window covers the longest retry horizon and half an hour."""
    window = max(retry_horizons, default=timedelta(0)) + MARGIN
    return (
        StreamPlan(subjects.stream, subjects.stored, window, replicas),
        StreamPlan(subjects.dead_stream, (subjects.all_dead,), window, replicas),
    )


async def ensure_stream(client: Client, plan: StreamPlan) -> bool:
    """Create the stream, or widen what exists; True where it was not there.

    Raises `ConfigurationError` where it contradicts the plan, `BusError` where NATS does not
    answer.
    """
    info = await call(client, f"STREAM.INFO.{plan.name}", {})
    if _error_code(info) == _STREAM_NOT_FOUND:
        made = await call(client, f"STREAM.CREATE.{plan.name}", plan.config())
        if _error_code(made) != _NAME_IN_USE:
            _raise_for_error(made, plan)
            return True
        # Another process has just made it, with another window.
        info = await call(client, f"STREAM.INFO.{plan.name}", {})
    _raise_for_error(info, plan)
    existing = info["config"]
    for reason in contradictions(existing):
        raise ConfigurationError(
            f"the stream {plan.name} exists and {reason}: "
            "set nats.subject_root to another name, or change the stream by hand"
        )
    wanted = widened(existing, plan)
    if wanted != existing:
        _raise_for_error(await call(client, f"STREAM.UPDATE.{plan.name}", wanted), plan)
    return False


def contradictions(existing: Mapping[str, Any]) -> list[str]:
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
    return [reason for holds, reason in rules if not holds]


def widened(existing: Mapping[str, Any], plan: StreamPlan) -> dict[str, Any]:
    """The existing configuration with what the plan asks for beside it; nothing is taken away."""
    config = dict(existing)
    subjects = list(existing.get("subjects") or ())
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
