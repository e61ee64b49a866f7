"""The streams: set up once, widened when the settings ask for more, never narrowed or emptied.

Speaks the JetStream API in its own JSON, so that no field a newer server knows is lost on the way
through a client's model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from nats.aio.client import Client

from receiver.bus.contradictions import ONE_REPLICA, contradictions
from receiver.bus.jetstream_api import call, nanoseconds
from receiver.bus.retention import warnings
from receiver.bus.stream_plan import FLAGS, StreamPlan
from receiver.errors import BusError, ConfigurationError

_NAME_IN_USE: Final = 10058
_STREAM_NOT_FOUND: Final = 10059
_SUBJECTS_OVERLAP: Final = 10065
_NO_CLUSTER: Final = 10074
_MORE_ROOM: Final = "give the account or the server more room, or set nats.max_bytes to less"
_REMEDIES: Final = {
    10023: _MORE_ROOM,  # insufficient resources
    10028: _MORE_ROOM,  # memory resources exceeded
    10039: "enable JetStream for the account of our user",
    10047: _MORE_ROOM,  # storage resources exceeded
    10049: "change what it names",  # the stream could not be made
    10052: "change what it names, by hand or in the settings",  # an invalid configuration
    10076: "add a jetstream block to the server's configuration",
}
"""JetStream error codes that no retry can clear, each with what to do."""


class StreamState(NamedTuple):
    """What became of a stream: whether it was not there before, how many servers hold it, and what
    to know of its bounds.
    """

    created: bool
    replicas: int
    warnings: Sequence[str] = ()


async def stream_info(client: Client, plan: StreamPlan) -> dict[str, Any] | None:
    """The server's answer to `STREAM.INFO`, None where there is no such stream.

    Raises `ConfigurationError` where the server refuses for good, else `BusError`.
    """
    info = await call(client, f"STREAM.INFO.{plan.name}", {})
    if _error_code(info) == _STREAM_NOT_FOUND:
        return None
    _raise_for_error(info, plan)
    return info


async def ensure_stream(
    client: Client, plan: StreamPlan, *, clustered: bool = False
) -> StreamState:
    """Create the stream, or bring what exists up to date; it keeps its messages and ids.

    Raises `ConfigurationError` where it contradicts the plan or the server refuses it for good,
    `BusError` where NATS does not answer. `clustered`: the server is one of a cluster.
    """
    info = await stream_info(client, plan)
    if info is None:
        if clustered and plan.replicas < 2:
            raise ConfigurationError(f"the stream {plan.name}: {': '.join(ONE_REPLICA)}")
        made = await call(client, f"STREAM.CREATE.{plan.name}", plan.config())
        if _error_code(made) != _NAME_IN_USE:
            _raise_for_error(made, plan)
            return StreamState(created=True, replicas=plan.replicas)
        # Another process has just made it, with another window.
        if (info := await stream_info(client, plan)) is None:
            raise BusError(f"the stream {plan.name} was deleted as it was made")
    check_stream(info, plan, clustered=clustered)
    existing = info["config"]
    wanted = widened(existing, plan)
    if wanted != existing:
        _raise_for_error(await call(client, f"STREAM.UPDATE.{plan.name}", wanted), plan)
    noted = tuple(warnings(info, plan, now=datetime.now(UTC)))
    return StreamState(created=False, replicas=wanted["num_replicas"], warnings=noted)


def check_stream(info: Mapping[str, Any], plan: StreamPlan, *, clustered: bool) -> None:
    """Raise `ConfigurationError`, a line for each reason, where a stream contradicts the plan."""
    found = contradictions(info["config"], plan, clustered=clustered)
    if found:
        raise ConfigurationError(
            "\n".join(
                f"the stream {plan.name} exists and {reason}: {remedy}" for reason, remedy in found
            )
        )


def widened(existing: Mapping[str, Any], plan: StreamPlan) -> dict[str, Any]:
    """The existing configuration with what the plan asks for beside it; nothing is taken away but
    the subjects of an older version.
    """
    config = {**existing, **plan.mappings()}
    subjects = [s for s in existing.get("subjects") or () if s not in plan.formerly]
    config["subjects"] = subjects + [s for s in plan.subjects if s not in subjects]
    window = nanoseconds(plan.duplicate_window)
    config["duplicate_window"] = max(window, existing.get("duplicate_window", 0))
    config["num_replicas"] = max(plan.replicas, existing.get("num_replicas", 1))
    return config | dict.fromkeys(FLAGS, True)


def _error_code(reply: Mapping[str, Any]) -> int | None:
    code = reply.get("error", {}).get("err_code")
    return code if isinstance(code, int) else None


def _raise_for_error(reply: Mapping[str, Any], plan: StreamPlan) -> None:
    if "error" not in reply:
        return
    description = reply["error"].get("description", "unknown error")
    if _error_code(reply) == _SUBJECTS_OVERLAP:
        raise ConfigurationError(
            f"another stream already takes subjects of {plan.name} ({description}): "
            "set nats.subject_root to another name"
        )
    if _error_code(reply) == _NO_CLUSTER:
        raise ConfigurationError(
            f"nats.replicas: {plan.replicas} need a cluster, and this server is alone: "
            "set nats.replicas to 1, or nats.url to the servers of a cluster"
        )
    refused = f"NATS refuses the stream {plan.name}: {description}"
    if remedy := _REMEDIES.get(_error_code(reply) or 0):
        raise ConfigurationError(f"{refused}: {remedy}")
    if 400 <= reply["error"].get("code", 500) < 500:
        raise ConfigurationError(refused)
    raise BusError(refused)
