"""`yizhan retention apply`: give existing streams the bounds of the settings."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import typer

from receiver.bus.client import PipeliningClient
from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call, nanoseconds, nanoseconds_read
from receiver.bus.retention import in_words
from receiver.bus.stream_plan import StreamPlan
from receiver.bus.streams import stream_info
from receiver.bus.subjects import Subjects
from receiver.cli.acting import ByOption, who
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load
from receiver.cli.desk import Desk, print_json
from receiver.cli.look.output import print_nats
from receiver.cli.options import YesOption
from receiver.cli.process import EXIT_FAILED, if_stopped, refusing, run
from receiver.composition.bus import access, running_server, stream_plans
from receiver.errors import BusError
from receiver.operations.audit_trail import AuditTrail
from receiver.settings import Settings

retention = typer.Typer(no_args_is_help=True, help="How long and how much the streams keep.")
app.add_typer(retention, name="retention", rich_help_panel=REPAIR)


@retention.callback()
def _retention() -> None:
    """How long and how much the streams keep."""


@retention.command(epilog=examples("yizhan retention apply", "yizhan retention apply --yes"))
def apply(
    config: ConfigOption = None,
    yes: YesOption = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give the existing streams nats.max_age_days and nats.max_bytes.

    Says which messages would go, and asks before they do. Exits 1 where that was declined.
    """
    with refusing():
        operator = who(by)
    (settings, _), desk = load(config, quiet=True), Desk(yes, as_json)

    async def main(_: asyncio.Event) -> int:
        async with _connected(settings) as connection:
            subjects = Subjects(settings.nats.subject_root)
            trail, client = AuditTrail(connection, subjects, operator), connection.client
            plans = stream_plans(settings, subjects)
            left = "streams that are not named as applied are as they were: give it again"
            rows: list[dict[str, Any]] = []
            with if_stopped(left):
                for plan in plans:
                    rows.append(await _apply(client, plan, trail, desk))
                    if not rows[-1]["applied"]:
                        break  # nothing more is done by whoever declines
        if as_json:
            print_json({"streams": rows})
        return 0 if rows[-1]["applied"] else EXIT_FAILED

    run(main)


@contextlib.asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Connection]:
    """The server, whatever its streams are like."""
    async with running_server(settings) as url:
        connection = Connection(url, (), name="yizhan-retention", access=access(settings))
        try:
            await connection.start()
            yield connection
        finally:
            await connection.stop()


async def _apply(
    client: PipeliningClient, plan: StreamPlan, trail: AuditTrail, desk: Desk
) -> dict[str, Any]:
    """Give a stream its bounds; what came of it: `applied` unless that was declined."""
    info = await stream_info(client, plan)
    if info is None:
        desk.say(f"{plan.name}: not there yet, a start makes it")
        return _row(plan, None, None)
    existing = info["config"]
    wanted = existing | {"max_age": nanoseconds(plan.max_age), "max_bytes": plan.max_bytes}
    if wanted == existing:
        desk.say(f"{plan.name}: keeps {_bounds(existing)}, as the settings say")
        return _row(plan, existing, wanted)
    desk.say(f"{plan.name}: keeps {_bounds(existing)}, and would keep {_bounds(wanted)}")
    if lost := await _lost(client, plan, info):
        desk.say(f"{plan.name}: {lost} for good, handled or not")
        if not desk.confirmed("Apply?"):
            return _row(plan, existing, wanted, applied=False, lost=lost)
    async with trail.act("retention-apply", target=plan.name, reason=_bounds(wanted)):
        reply = await call(client, f"STREAM.UPDATE.{plan.name}", wanted)
        if "error" in reply:
            raise BusError(f"NATS refuses the bounds: {reply['error'].get('description')}")
    desk.say(f"{plan.name}: applied")
    command = _nats_command(plan, wanted)
    print_nats(() if desk.as_json else [command])
    return _row(plan, existing, wanted, lost=lost, nats=[command])


def _row(
    plan: StreamPlan,
    existing: dict[str, Any] | None,
    wanted: dict[str, Any] | None,
    *,
    applied: bool = True,
    **more: Any,
) -> dict[str, Any]:
    before, after = (_kept(config) if config else None for config in (existing, wanted))
    return {"stream": plan.name, "kept": before, "keeps": after, "applied": applied, **more}


def _kept(config: dict[str, Any]) -> dict[str, Any]:
    age = nanoseconds_read(config.get("max_age", 0))
    return {"max_age_s": age.total_seconds() or None, "max_bytes": config.get("max_bytes", -1)}


def _nats_command(plan: StreamPlan, wanted: dict[str, Any]) -> str:
    age_s = int(plan.max_age.total_seconds())
    bounds = f"--max-age={age_s}s --max-bytes={wanted['max_bytes']}"
    return f"nats stream edit {plan.name} {bounds}"


def _bounds(config: dict[str, Any]) -> str:
    age = nanoseconds_read(config.get("max_age", 0))
    kept = f"messages for {in_words(age) if age else 'ever'}"
    limit_bytes = config.get("max_bytes", -1)
    return f"{kept}, at most {limit_bytes} bytes" if limit_bytes > 0 else kept


async def _lost(client: PipeliningClient, plan: StreamPlan, info: dict[str, Any]) -> str:
    """What would go: the messages that are too old, and the bytes that are too many; or empty."""
    state = info["state"]
    parts = []
    if old := state["messages"] - await _younger(client, plan):
        parts.append(f"{old} of {state['messages']} messages (older than {in_words(plan.max_age)})")
    if plan.max_bytes > 0 and (over := state["bytes"] - plan.max_bytes) > 0:
        parts.append(f"the oldest {over} of {state['bytes']} bytes")
    return f"{' and '.join(parts)} would go" if parts else ""


async def _younger(client: PipeliningClient, plan: StreamPlan) -> int:
    """How many messages are not too old, as a consumer that is deleted at once counts them."""
    name = f"yizhan-retention-{secrets.token_hex(6)}"
    config = {
        "name": name,
        "deliver_policy": "by_start_time",
        "opt_start_time": (datetime.now(UTC) - plan.max_age).isoformat(),
        "ack_policy": "none",
        "inactive_threshold": 60_000_000_000,
        "mem_storage": True,
    }
    body = {"stream_name": plan.name, "config": config, "action": "create"}
    reply = await call(client, f"CONSUMER.CREATE.{plan.name}.{name}", body)
    if "error" in reply:
        raise BusError(f"NATS does not count the messages: {reply['error'].get('description')}")
    await call(client, f"CONSUMER.DELETE.{plan.name}.{name}", {})
    return int(reply["num_pending"])
