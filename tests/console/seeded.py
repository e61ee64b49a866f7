"""What the console shows in the tests: orders of a shop, and whatever a sender may write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects
from receiver.testing import eventually
from receiver.worker.effects.states import EffectRecord
from tests.cli.conftest import Yizhan
from tests.operations.shelf import Shelf

ORDER: Final = "2745812000123456789"
OWN_NUMBER: Final = "PO-2026-0117"
PHONE: Final = "13812345678"
BUYER: Final = "王小明"
HOSTILE: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) autofocus '",
    "</title></textarea><svg/onload=alert(1)>",
    "javascript:alert(1)",
    '<b hx-get="/" hx-trigger="load" hx-on::load="alert(1)">',
    "{{ 7 * 7 }}{% raise %}${7*7}#{7*7}",
    "a/../../b?c=d&e=f#g%2F%00",
    "\u202eright to left\u2066\u0000\u0007\r\nset-cookie: a=b",
    "密" * 60,
    "=cmd|' /C calc'!A0",
)
"""Each is an order's id, a message type, and the text of every other field."""

_SETTINGS: Final = f"""
[[sources]]
name = "shop"
dialect = "xport"
verification = "path_token"
path_token = "{"t" * 16}"
[[sources]]
name = "trial"
dialect = "xport"
verification = "path_token"
path_token = "{"p" * 16}"
simulated = true
[handlers]
load = ["shop_handlers:router"]
[console]
root_path = "/ops/yizhan"
port = 0
"""
_HANDLERS: Final = """
from datetime import timedelta
from receiver.worker.retry_policy import RetryPolicy
from schemas.events import PaymentSucceeded, UnknownReceived
from yizhan import Context, Event, Retry, Router

router = Router()

@router.on(PaymentSucceeded, start="all", retry=RetryPolicy(max_attempts=1))
async def book_payment(event: Event[PaymentSucceeded], ctx: Context) -> None:
    if not event.order_id.startswith("2745812000"):
        raise KeyError(event.order_id)

@router.on(UnknownReceived, start="all", retry=RetryPolicy(max_attempts=1))
async def look_at_unknown(event: Event[UnknownReceived], ctx: Context) -> None:
    raise ValueError(f"cannot read {event.data}")

@router.on(PaymentSucceeded, start="all")
async def wait_for_stock(event: Event[PaymentSucceeded], ctx: Context) -> None:
    if event.order_id.endswith("9"):
        raise Retry(after=timedelta(days=1))
"""


@dataclass(frozen=True)
class Place:
    """A directory with settings, and the environment that its commands run in."""

    yizhan: Yizhan
    environ: dict[str, str]


def laid_out(directory: Path, nats_url: str, subjects: Subjects) -> Place:
    """The settings and handlers of a shop."""
    (directory / "shop_handlers.py").write_text(_HANDLERS, encoding="utf-8")
    (directory / "yizhan.toml").write_text(_SETTINGS, encoding="utf-8")
    (directory / "yizhan.toml").chmod(0o600)
    environ = {"YIZHAN_NATS__URL": nats_url, "YIZHAN_NATS__SUBJECT_ROOT": subjects.root}
    return Place(Yizhan(directory), environ)


async def seed(place: Place, connection: Connection, subjects: Subjects) -> None:
    """Store callbacks, and have a worker handle them, which goes on."""
    publisher = GroupCommitPublisher(connection, timeout_s=60)
    shelf = Shelf(publisher, subjects)
    first = await shelf.push(ORDER, orderNo=OWN_NUMBER)
    await shelf.push(ORDER, again=first, orderNo=OWN_NUMBER)
    for number in range(3):
        await shelf.push(f"274581200000000000{number}", orderNo=f"PO-{number}")
    for text in HOSTILE:
        written: dict[str, Any] = {
            "orderNo": text,
            "buyerNote": text,
            "receiver": text,
            "mobile": PHONE,
        }
        await shelf.push(text, **written, orderStatus=text, carrier=text, waybillNo=text)
        await shelf.push("2745812000000000009", text, note=text)
        await shelf.spoil(text)
    running = await place.yizhan.start("work", **place.environ)
    await running.line(lambda line: "handler_started" in line)
    await eventually(lambda: _idle(connection, subjects), within_s=60)
    await _replay(place)
    await keep_doubt(connection, subjects, "effect.book_payment.0a1b2c.tell")
    await publisher.stop()


async def keep_doubt(connection: Connection, subjects: Subjects, key: str) -> None:
    """An effect in doubt, with what a sender wrote."""
    now, store = datetime.now(UTC), StateStore(connection, subjects)
    await store.ensure()
    record = EffectRecord(
        state="in_doubt",
        handler="ship_it",
        name=HOSTILE[0],
        fact=key.split(".")[2],
        event_id="1.0",
        event_type="order.closed",
        order_id=HOSTILE[7],
        claim="c",
        worker="w",
        attempt=1,
        at=now,
        deadline=now - timedelta(hours=1),
        result={"mobile": PHONE},
        why=HOSTILE[1],
    )
    await store.put(key, record.encoded(), 0)
    await store.stop()


async def _replay(place: Place) -> None:
    """Some of it fails again."""
    to, of = ("--to", "handler:book_payment"), ("--type", "payment", "--limit", "6")
    planned = await place.yizhan.run(
        "replay", "plan", "fix1", *of, *to, within_s=90, **place.environ
    )
    assert planned.code == 0, planned.err
    ran = await place.yizhan.run("replay", "run", "fix1", within_s=90, **place.environ)
    assert ran.code in {1, 3}, ran.err


async def _idle(connection: Connection, subjects: Subjects) -> bool:
    found = await connection.jetstream.consumers_info(subjects.stream)
    ours = [one for one in found if one.name.startswith("handler-")]
    return len(ours) == 3 and not any(one.num_pending or one.num_ack_pending for one in ours)
