"""Why an existing stream cannot keep what was acknowledged on it. Performs no I/O.

A bound that the settings name themselves is no contradiction: the oldest messages go first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from receiver.bus.jetstream_api import nanoseconds_read
from receiver.bus.stream_plan import StreamPlan
from receiver.bus.subjects import overlap

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024

_BY_HAND: Final = "set nats.subject_root to another name, or change the stream by hand"
_APPLY: Final = "run `yizhan retention apply`"


class Contradiction(NamedTuple):
    """What is wrong with a stream, and what to do about it."""

    reason: str
    remedy: str = _BY_HAND


def contradictions(
    existing: Mapping[str, Any], plan: StreamPlan, *, clustered: bool = False
) -> list[Contradiction]:
    """Why an existing stream cannot keep the promise; empty where it can.

    `existing` is its configuration in JetStream's JSON; `clustered` whether its server is one of a
    cluster.
    """
    found = [Contradiction(reason) for holds, reason in _rules(existing) if not holds]
    found += [Contradiction(reason) for reason in _foreign_mappings(existing, plan)]
    found += [Contradiction(reason) for reason in _overlapping(existing, plan)]
    found += _tighter(existing, plan)
    if clustered and max(plan.replicas, existing.get("num_replicas", 1)) < 2:
        found.append(ONE_REPLICA)
    return found


ONE_REPLICA: Final = Contradiction(
    "one server of the cluster holds it: a batch that a crash cuts stays partly visible there",
    "set nats.replicas to 3",
)
"""Checked for a stream that does not exist yet, too."""


def _rules(existing: Mapping[str, Any]) -> tuple[tuple[bool, str], ...]:
    """What must hold whatever the settings say, each with what is wrong where it does not."""
    limits = existing.get("consumer_limits") or {}
    return (
        (existing.get("storage") == "file", "does not store on disk"),
        (existing.get("retention") == "limits", "does not keep what was consumed (retention)"),
        (
            existing.get("persist_mode", "default") == "default",
            "acknowledges before it writes (persist_mode)",
        ),
        (not existing.get("no_ack"), "acknowledges nothing (no_ack)"),
        (not existing.get("sealed"), "is sealed"),
        (not existing.get("mirror"), "is a mirror of another"),
        (not existing.get("sources"), "copies the messages of other streams (sources)"),
        (not existing.get("allow_msg_counter"), "takes numbers alone (allow_msg_counter)"),
        (
            existing.get("discard", "old") == "old",
            "refuses new messages where it is full (discard new), which excludes schedules",
        ),
        (
            existing.get("max_msgs", -1) <= 0,
            f"keeps {existing.get('max_msgs')} messages and drops older ones (max_msgs)",
        ),
        (
            existing.get("max_msgs_per_subject", -1) <= 0,
            "drops the older messages of a subject (max_msgs_per_subject)",
        ),
        (
            not 0 < existing.get("max_msg_size", -1) < MAX_MESSAGE_BYTES,
            f"refuses messages of {MAX_MESSAGE_BYTES} bytes (max_msg_size)",
        ),
        (
            not limits.get("inactive_threshold"),
            "deletes consumers that are not in use (consumer_limits.inactive_threshold)",
        ),
    )


def _tighter(existing: Mapping[str, Any], plan: StreamPlan) -> Iterator[Contradiction]:
    """Bounds by which it drops acknowledged messages earlier than the settings say."""
    age = nanoseconds_read(existing.get("max_age", 0))
    if timedelta(0) < age < plan.max_age:
        named = f"set nats.max_age_days to {age.days}, or " if age.days else ""
        yield Contradiction(
            f"drops messages after {age} (max_age), where nats.max_age_days is {plan.max_age.days}",
            f"{named}{_APPLY}",
        )
    bytes_kept = existing.get("max_bytes", -1)
    if bytes_kept > 0 and not 0 < plan.max_bytes <= bytes_kept:
        wanted = f"is {plan.max_bytes}" if plan.max_bytes > 0 else "is not set"
        yield Contradiction(
            f"drops the oldest messages beyond {bytes_kept} bytes (max_bytes), "
            f"where nats.max_bytes {wanted}",
            f"set nats.max_bytes to {bytes_kept}, or {_APPLY}",
        )


def _foreign_mappings(existing: Mapping[str, Any], plan: StreamPlan) -> Iterator[str]:
    """Mappings that are not ours: messages would be stored, or seen, under unexpected subjects."""
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
