"""The state stream: one KV bucket for what handlers keep. Performs no I/O.

It is never staged in memory (`receiver.embedded.staging`): after a loss of power a part of a batch
might be there that was never acknowledged. In a cluster several servers have to hold it, since a
stream of one replica does not keep batches whole there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from receiver.bus.subjects import Subjects

_FLAGS: Final = ("allow_atomic", "allow_direct", "allow_msg_ttl", "allow_rollup_hdrs")


def state_config(subjects: Subjects, replicas: int) -> dict[str, Any]:
    """The configuration of a stream that does not exist yet.

    Nothing ages by itself: what is to expire is written with a lifetime of its own. No bound makes
    room by dropping what is kept: a stream that is full refuses.
    """
    return {
        "name": subjects.state_stream,
        "subjects": [subjects.all_state],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_msgs_per_subject": 1,
        "max_age": 0,
        "num_replicas": replicas,
        "deny_delete": False,
        **dict.fromkeys(_FLAGS, True),
    }


def widened_state(existing: Mapping[str, Any], subjects: Subjects, replicas: int) -> dict[str, Any]:
    """An existing configuration with what is needed beside it; nothing is taken away."""
    taken = [*(existing.get("subjects") or ())]
    if subjects.all_state not in taken:
        taken.append(subjects.all_state)
    held_by = max(replicas, existing.get("num_replicas", 1))
    flags = dict.fromkeys(_FLAGS, True)
    return {**existing, **flags, "subjects": taken, "num_replicas": held_by}


def state_contradictions(existing: Mapping[str, Any]) -> list[str]:
    """Why an existing stream cannot keep state, and no update of ours corrects it."""
    found = []
    if existing.get("storage") != "file":
        found.append("it is kept in memory: delete it")
    if existing.get("max_age"):
        found.append("it forgets by age (max_age): set that to 0")
    if existing.get("retention", "limits") != "limits":
        found.append("its retention is not by limits: delete it")
    if existing.get("discard") != "new":
        found.append("it drops what is old where it is full: set discard to new")
    if existing.get("mirror") or existing.get("sources"):
        found.append("it is a copy of another stream: delete it")
    return found
