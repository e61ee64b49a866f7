"""Durable pull consumers: created once, brought up to date, never deleted.

Speaks the JetStream API in its own JSON, as `receiver.bus.streams` does and for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from nats.aio.client import Client

from receiver.bus.beginning import finish, first_sequence, is_unfinished, unfinished
from receiver.bus.jetstream_api import call
from receiver.errors import BusError, ConfigurationError

MAX_ACK_PENDING: Final = 10_000
"""Bounds what waits for a delayed redelivery, too: a nak with a delay stays pending."""

GROUP: Final = "lane"
"""The one priority group of our durables: whoever pulls for it is pinned, and served alone."""
PIN_S: Final = 10.0
"""After how long without a pull the server pins another client."""
_PINNED: Final = "pinned_client"
PAUSE_REASON: Final = "yizhan-pause-reason"
"""Where in a consumer's metadata it stands why it is paused."""

_NOT_FOUND: Final = frozenset({10014, 10059})
"""There is no such consumer, or no such stream."""
_TAKEN_AWAY: Final = frozenset({"filter_subject", "backoff"})
"""What an existing durable must not have: a backoff takes the place of the time to acknowledge, and
a run that takes longer would be begun again beside itself."""
_MAX_WAITING: Final = 64
"""A process has one request under way."""


@dataclass(frozen=True, slots=True)
class ConsumerPlan:
    """One durable on one stream, which serves one client at a time.

    `max_deliver` has no limit, since we count the attempts. A durable that is made begins at
    `start`: all that is stored, only what comes from now on, or what was stored since a time; where
    the durable `was` exists, it begins where that one stands.
    """

    stream: str
    durable: str
    filter_subjects: Sequence[str]
    ack_wait_s: float = 30.0
    start: Literal["all", "new"] | datetime = "all"
    was: str = ""

    def config(self) -> dict[str, Any]:
        """The configuration of a durable that does not exist yet (durations in nanoseconds)."""
        return {
            "durable_name": self.durable,
            "name": self.durable,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "replay_policy": "instant",
            **self.changeable(),
        }

    def changeable(self) -> dict[str, Any]:
        """What an existing durable is brought up to date in."""
        return {
            "filter_subjects": sorted(self.filter_subjects),
            "ack_wait": int(self.ack_wait_s * 1_000_000_000),
            "max_deliver": -1,
            "max_ack_pending": MAX_ACK_PENDING,
            "priority_groups": [GROUP],
            "priority_policy": _PINNED,
            "priority_timeout": int(PIN_S * 1_000_000_000),
        }


async def ensure_consumer(client: Client, plan: ConsumerPlan, *, timeout_s: float = 5.0) -> str:
    """Create the durable where the plan begins, or bring it up to date; gives what is to know of
    it, see `paused`.

    What it has acknowledged stays acknowledged. Raises `ConfigurationError` where a consumer of
    that name cannot do the work, `BusError` where NATS does not answer.
    """
    info = await consumer_info(client, plan.stream, plan.durable, timeout_s=timeout_s)
    if info is None:
        begins_at = await first_sequence(client, plan)
        info = await _create(client, plan, plan.config() | unfinished(begins_at), "create")
    check_consumer(info, plan)
    if is_unfinished(info["config"]):
        await finish(client, plan, info)
        return ""
    existing = info["config"]
    wanted = {k: v for k, v in existing.items() if k not in _TAKEN_AWAY} | plan.changeable()
    if wanted != existing:
        await _create(client, plan, wanted, "update")
    return paused(info, plan)


def check_consumer(info: Mapping[str, Any], plan: ConsumerPlan) -> None:
    """Raise `ConfigurationError`, a line for each reason, where a consumer cannot do the work."""
    if found := contradictions(info["config"]):
        raise ConfigurationError(
            "\n".join(
                f"the consumer {plan.durable} of {plan.stream} exists and {reason}: "
                "change that by hand, delete that consumer, or rename the handler"
                for reason in found
            )
        )


def outdated(info: Mapping[str, Any], plan: ConsumerPlan) -> str:
    """A sentence where a durable is not yet one that serves a single client, or ""."""
    if _is_pinned(info["config"]):
        return ""
    waiting = info.get("num_waiting", 0)
    now = f" ({waiting} requests of such wait now)" if waiting else ""
    return (
        f"the consumer {plan.durable} is of an older version: a start brings it up to date, and "
        f"then workers of that version get nothing from it: stop them first{now}"
    )


def _is_pinned(config: Mapping[str, Any]) -> bool:
    return config.get("priority_policy") == _PINNED and config.get("priority_groups") == [GROUP]


def paused(info: Mapping[str, Any], plan: ConsumerPlan) -> str:
    """A sentence where an operator has paused the consumer, which contradicts nothing, or ""."""
    if not info.get("paused") or is_unfinished(info["config"]):
        return ""
    until = info["config"].get("pause_until", "further notice")
    reason = (info["config"].get("metadata") or {}).get(PAUSE_REASON, "")
    said = f"{plan.durable} is paused until {until}{reason and f' ({reason})'}"
    return f"the consumer {said}: nothing is handled before"


async def consumer_info(
    client: Client, stream: str, durable: str, *, timeout_s: float = 5.0
) -> dict[str, Any] | None:
    """JetStream's information about a consumer, None where there is none; raises `BusError`."""
    reply = await call(client, f"CONSUMER.INFO.{stream}.{durable}", {}, timeout_s=timeout_s)
    error = reply.get("error")
    if error is None:
        return reply
    if error.get("err_code") in _NOT_FOUND:
        return None
    raise BusError(f"NATS gives no information about the consumer {durable}: {_description(reply)}")


def contradictions(existing: Mapping[str, Any]) -> list[str]:
    """Why an existing consumer cannot serve a handler; empty where it can."""
    rules = (
        (not existing.get("max_batch"), "hands out few messages a request (max_batch)"),
        (not existing.get("max_expires"), "lets no request wait for long (max_expires)"),
        (not existing.get("max_bytes"), "hands out few bytes a request (max_bytes)"),
        (
            not existing.get("priority_groups") or _is_pinned(existing),
            "wants another group named in each request (priority_groups)",
        ),
        (
            not 0 < existing.get("max_waiting", 512) < _MAX_WAITING,
            f"lets fewer than {_MAX_WAITING} requests wait (max_waiting)",
        ),
        (not existing.get("inactive_threshold"), "ends when not in use (inactive_threshold)"),
        (not existing.get("mem_storage"), "keeps its position in memory alone (mem_storage)"),
        (
            existing.get("replay_policy", "instant") == "instant",
            "hands out as slowly as messages came (replay_policy)",
        ),
        (not existing.get("deliver_subject"), "pushes instead of being pulled from"),
        (existing.get("ack_policy") == "explicit", "does not want every message acknowledged"),
        (bool(existing.get("durable_name")), "is not durable"),
        (not existing.get("headers_only"), "leaves the bodies out"),
    )
    return [reason for holds, reason in rules if not holds]


async def _create(
    client: Client, plan: ConsumerPlan, config: Mapping[str, Any], action: str
) -> dict[str, Any]:
    body = {"stream_name": plan.stream, "config": config, "action": action}
    reply = await call(client, f"CONSUMER.CREATE.{plan.stream}.{plan.durable}", body)
    if "error" not in reply:
        return reply
    # Not always our settings' fault: another process may just have made or changed the same one.
    raise BusError(f"NATS refuses the consumer {plan.durable}: {_description(reply)}")


def _description(reply: Mapping[str, Any]) -> str:
    return str(reply["error"].get("description", "no reason given"))
