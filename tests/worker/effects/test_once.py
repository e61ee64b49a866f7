"""`ctx.once` as a handler has it, without a server."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from receiver.errors import APIRejectedError, BusError, OutcomeUnknownError
from receiver.event import Event
from receiver.testing import Kit, make_event
from receiver.testing.fake_api import FakeAPI
from receiver.worker.interface import Context, Drop, HandlerFunction, Resolve, Retry
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler, Router
from schemas.api.alibaba_order_detail import AlibabaOrderDetail
from schemas.events import OrderClosed, OrderCompleted, OrderCreated

pytestmark = pytest.mark.anyio

CREATED = make_event(OrderCreated(channel="1688", order_id="1"))
MANY = RetryPolicy(max_attempts=9, delays_s=(1.0,), jitter=lambda: 0.0)


class Warehouse:
    """Counts what it is sent, and raises what is in `errors` next, after it was sent."""

    def __init__(self, *errors: BaseException) -> None:
        self.sent: list[str] = []
        self.seen: list[Any] = []
        self.errors = [*errors]

    def send(self, what: str) -> dict[str, Any]:
        self.sent.append(what)
        if self.errors:
            raise self.errors.pop(0)
        return {"parcel": len(self.sent), "note": None}

    def handler(self, resolve: Resolve | None = None, **how: Any) -> HandlerFunction:
        async def ship(event: Event[OrderCreated], ctx: Context) -> None:
            async with ctx.once("ship", resolve=resolve, **how) as effect:
                if effect.due:
                    effect.result = self.send(effect.key)
            self.seen.append(effect.result)

        return ship

    def kit(self, resolve: Resolve | None = None, **how: Any) -> Kit:
        return Kit(self.handler(resolve, **how), policy=MANY)


async def test_an_effect_happens_once_for_a_fact() -> None:
    warehouse = Warehouse()
    async with warehouse.kit() as kit:
        runs = [await kit.run(CREATED), await kit.retransmit(CREATED), await kit.replay(CREATED)]

    assert [run.outcome for run in runs] == ["done"] * 3
    assert len(warehouse.sent) == 1
    assert warehouse.seen == [{"parcel": 1, "note": None}] * 3


async def test_another_fact_is_another_effect() -> None:
    warehouse = Warehouse()
    async with warehouse.kit() as kit:
        await kit.run(CREATED)
        await kit.run(make_event(OrderCreated(channel="1688", order_id="2")))

    assert len(set(warehouse.sent)) == 2


async def test_a_key_of_ones_own_is_shared_by_facts() -> None:
    warehouse = Warehouse()
    async with warehouse.kit(key="week 48 / any.text > *") as kit:
        await kit.run(CREATED)
        await kit.run(make_event(OrderCreated(channel="1688", order_id="2")))

    assert len(warehouse.sent) == 1


async def test_two_handlers_may_call_their_effects_the_same() -> None:
    one, other = Warehouse(), Warehouse()
    async with one.kit() as kit:
        handler = Handler("other", other.handler(), (OrderCreated,), needs_api=False)
        second = Kit(handler)
        second.state._entries = kit.state._entries
        await kit.run(CREATED)
        await second.run(CREATED)

    assert (len(one.sent), len(other.sent)) == (1, 1)
    assert one.sent != other.sent


async def test_a_plain_function_has_its_effects_once_too() -> None:
    sent: list[str] = []

    def ship(event: Event[OrderCreated], ctx: Context) -> None:
        with ctx.once("ship") as effect:
            if effect.due:
                sent.append(effect.key)
                effect.result = "parcel"
        assert effect.result == "parcel"

    async with Kit(ship) as kit:
        runs = [await kit.run(CREATED), await kit.retransmit(CREATED)]

    assert [run.outcome for run in runs] == ["done", "done"]
    assert len(sent) == 1


@pytest.mark.parametrize(
    "error",
    [Retry(after=1), APIRejectedError("no"), ConnectionRefusedError(), ZeroDivisionError()],
)
async def test_what_did_not_happen_for_sure_is_done_by_the_next_run(error: BaseException) -> None:
    warehouse = Warehouse(error)
    async with warehouse.kit(safe=[ZeroDivisionError]) as kit:
        await kit.run(CREATED)
        again = await kit.replay(CREATED)

    assert again.outcome == "done"
    assert len(warehouse.sent) == 2


async def test_what_is_dropped_did_not_happen() -> None:
    warehouse = Warehouse(Drop("not for us"))
    async with warehouse.kit() as kit:
        assert (await kit.run(CREATED)).outcome == "dropped"
        assert (await kit.replay(CREATED)).outcome == "done"


@pytest.mark.parametrize("error", [OutcomeUnknownError("no answer"), RuntimeError("lost")])
async def test_what_is_in_doubt_becomes_a_letter_that_says_so(error: BaseException) -> None:
    warehouse = Warehouse(error)
    async with warehouse.kit() as kit:
        await kit.run(CREATED)
        again = await kit.replay(CREATED)

    assert again.outcome == "dead_lettered"
    assert again.error.startswith("InDoubtError: in_doubt: ")
    assert "yizhan doubt settle effect.ship." in again.error
    assert '--happened --note "' in again.error  # without a note it is refused
    assert len(warehouse.sent) == 1


@pytest.mark.parametrize(("happened", "times"), [(True, 1), (False, 2)])
async def test_what_is_in_doubt_is_settled_by_asking(happened: bool, times: int) -> None:
    warehouse = Warehouse(RuntimeError("lost"))

    async def asked() -> bool:
        return happened

    async with warehouse.kit(asked) as kit:
        await kit.run(CREATED)
        again = await kit.advance(timedelta(seconds=2))
        await kit.replay(CREATED)

    assert [run.outcome for run in again] == ["done"]
    assert len(warehouse.sent) == times


async def test_while_nobody_knows_the_event_waits() -> None:
    warehouse, answers = Warehouse(RuntimeError("lost")), [None, None, True]
    async with warehouse.kit(lambda: answers.pop(0)) as kit:
        await kit.run(CREATED)
        again = await kit.advance(timedelta(minutes=5))

    assert [run.outcome for run in again] == ["postponed", "postponed", "done"]
    assert len(warehouse.sent) == 1


async def test_an_answer_that_is_none_is_a_fault_of_the_handler() -> None:
    warehouse = Warehouse(RuntimeError("lost"))
    async with warehouse.kit(lambda: "yes") as kit:  # type: ignore[arg-type, return-value]
        await kit.run(CREATED)
        again = await kit.replay(CREATED)

    assert again.outcome == "dead_lettered"
    assert "resolve of ctx.once gave a str" in again.error


async def test_a_body_that_does_not_ask_fails_in_its_first_run() -> None:
    async def ship(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("ship"):
            pass

    async with Kit(ship) as kit:
        first, again = await kit.run(CREATED), await kit.replay(CREATED)

    assert [first.outcome, again.outcome] == ["dead_lettered", "dead_lettered"]
    assert "never asks `effect.due`" in first.error


async def test_an_error_before_the_body_asks_leaves_nothing_in_doubt() -> None:
    errors: list[BaseException] = [RuntimeError("before")]

    async def ship(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("ship") as effect:
            if errors:
                raise errors.pop()
            assert effect.due

    async with Kit(ship, policy=MANY) as kit:
        await kit.run(CREATED)
        assert (await kit.replay(CREATED)).outcome == "done"


async def test_one_effect_twice_in_a_run_is_a_fault_of_the_handler() -> None:
    async def ship(event: Event[OrderCreated], ctx: Context) -> None:
        for parcel in ("a", "b"):
            async with ctx.once("ship") as effect:
                if effect.due:
                    effect.result = parcel

    async with Kit(ship) as kit:
        run = await kit.run(CREATED)

    assert run.outcome == "dead_lettered"
    assert "give each its name, or a key=" in run.error


async def test_an_effect_in_the_body_of_another_is_refused_and_leaves_that_in_doubt() -> None:
    paid: list[str] = []

    async def ship(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("pay") as effect:
            if effect.due:
                paid.append(effect.key)
                async with ctx.once("ship") as inner:
                    assert inner.due
                    raise APIRejectedError("no")

    async with Kit(ship) as kit:
        first, again = await kit.run(CREATED), await kit.replay(CREATED)

    assert "ctx.once('ship') stands in the body of ctx.once('pay')" in first.error
    assert "the effect 'pay' may have happened" in again.error
    assert len(paid) == 1


async def test_publishing_in_the_body_of_an_effect_is_refused() -> None:
    async def ship(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("ship") as effect:
            if effect.due:
                await ctx.publish(OrderClosed(channel="1688", order_id="1"))

    async with Kit(ship) as kit:
        run = await kit.run(CREATED)

    assert "ctx.publish stands in the body of ctx.once('ship')" in run.error
    assert list(run.published) == []


async def test_what_is_published_behind_an_effect_is_stored_once_by_whichever_run() -> None:
    errors = [RuntimeError("between")]

    async def ship(event: Event[OrderCreated], ctx: Context) -> OrderClosed:
        async with ctx.once("ship") as effect:
            if effect.due:
                effect.result = "1"
        await ctx.publish(OrderCompleted(channel="1688", order_id=effect.result))
        if errors:
            raise errors.pop()
        return OrderClosed(channel="1688", order_id="1")

    async with Kit(ship, policy=MANY) as kit:
        await kit.run(CREATED)
        await kit.advance(timedelta(seconds=2))
        await kit.replay(CREATED)

    assert [type(event.data) for event in kit.published] == [OrderCompleted, OrderClosed]


async def test_a_plain_function_has_no_effect_in_another_either() -> None:
    def ship(event: Event[OrderCreated], ctx: Context) -> None:
        with ctx.once("pay") as effect:
            assert effect.due
            with ctx.once("ship"):
                pass

    async with Kit(ship) as kit:
        run = await kit.run(CREATED)

    assert "ctx.once('ship') stands in the body of ctx.once('pay')" in run.error


async def test_effects_may_follow_one_another_and_run_beside_each_other() -> None:
    done: list[str] = []

    async def ship(event: Event[OrderCreated], ctx: Context) -> None:
        async def one(name: str) -> None:
            async with ctx.once(name) as effect:
                if effect.due:
                    await asyncio.sleep(0)
                    done.append(name)

        await asyncio.gather(one("a"), one("b"))
        await one("c")
        await one("d")

    async with Kit(ship) as kit:
        run = await kit.run(CREATED)

    assert run.outcome == "done"
    assert done == ["a", "b", "c", "d"]


@pytest.mark.parametrize("result", ["x" * 9000, {"parcel": object()}])
async def test_a_result_that_cannot_be_kept_is_an_error_and_the_effect_is_done(result: Any) -> None:
    sent: list[str] = []

    async def ship(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("ship") as effect:
            if effect.due:
                sent.append(effect.key)
                effect.result = result

    async def ship_only(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("ship") as effect:
            if effect.due:
                sent.append(effect.key)

    async with Kit(ship) as kit:
        run = await kit.run(CREATED)
        corrected = Kit(Handler("ship", ship_only, (OrderCreated,), needs_api=False))
        corrected.state._entries = kit.state._entries
        again = await corrected.run(CREATED)

    assert run.outcome == "dead_lettered"
    assert "the result of the effect 'ship' is not kept" in run.error
    assert again.outcome == "done"
    assert len(sent) == 1


async def test_reading_a_result_that_was_not_kept_says_so() -> None:
    async def ship(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("ship") as effect:
            if effect.due:
                effect.result = "x" * 9000
        assert effect.result

    async with Kit(ship) as kit:
        await kit.run(CREATED)
        again = await kit.replay(CREATED)

    assert (
        "the effect 'ship' is done, and its result was not kept: it has 9002 bytes" in again.error
    )


async def test_an_effect_of_the_former_name_is_not_done_again() -> None:
    warehouse = Warehouse()
    router = Router()

    async def ship_parcel(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("ship") as effect:
            if effect.due:
                warehouse.send("again")

    router.on(OrderCreated, was="ship")(ship_parcel)
    async with warehouse.kit() as kit:
        await kit.run(CREATED)
        renamed = Kit(router.handlers[0])
        renamed.state._entries = kit.state._entries
        run = await renamed.run(CREATED)

    assert run.outcome == "done"
    assert len(warehouse.sent) == 1


async def test_what_was_done_and_not_stored_is_known_to_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warehouse = Warehouse()
    async with warehouse.kit() as kit:
        put = kit.state.put
        calls = 0

        async def fails_second(*parts: Any, **named: Any) -> int:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise BusError("away")
            return await put(*parts, **named)

        monkeypatch.setattr(kit.state, "put", fails_second)
        first, again = await kit.run(CREATED), await kit.replay(CREATED)

    assert [first.outcome, again.outcome] == ["retried", "done"]
    assert len(warehouse.sent) == 1
    assert warehouse.seen == [{"parcel": 1, "note": None}]


async def test_a_call_whose_outcome_is_unknown_is_asked_about_by_the_next_run() -> None:
    warehouse = Warehouse(OutcomeUnknownError("no answer"))
    async with warehouse.kit(lambda: True) as kit:
        first = await kit.run(CREATED)
        again = await kit.advance(timedelta(seconds=2))

    assert [run.outcome for run in (first, *again)] == ["postponed", "done"]
    assert isinstance(first.raised, Retry)
    assert isinstance(first.raised.__cause__, OutcomeUnknownError)
    assert len(warehouse.sent) == 1


REFUSED = APIRejectedError("no")


@pytest.mark.parametrize(
    ("cancels", "errors", "states"),
    [
        ([REFUSED, None], [None], ["released", "done"]),
        ([None], [REFUSED], ["in_doubt", "in_doubt"]),
        ([None], [Retry(after=1)], ["in_doubt", "in_doubt"]),
        ([OutcomeUnknownError("no answer")], [Retry(after=1)], ["in_doubt", "in_doubt"]),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
async def test_a_refusal_does_not_undo_what_the_body_changed_before(
    cancels: list[Any], errors: list[Any], states: list[str], plain: bool
) -> None:
    api, raised = FakeAPI(), [*errors]
    orders = api.alibaba.orders
    api.answer(orders.detail, AlibabaOrderDetail())
    api.answer(orders.cancel, *(error or True for error in cancels))

    async def act() -> None:
        await orders.detail("1")
        with contextlib.suppress(OutcomeUnknownError):
            await orders.cancel("1")
        if raised and (error := raised.pop(0)):
            raise error

    async def in_task(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("cancel") as effect:
            if effect.due:
                await asyncio.create_task(act())

    def in_thread(event: Event[OrderCreated], ctx: Context) -> None:
        with ctx.once("cancel") as effect:
            if effect.due:
                ctx.wait(act())

    async with Kit(in_thread if plain else in_task, api=api) as kit:
        runs = [await kit.run(CREATED), await kit.replay(CREATED)]

    assert [effect.state for run in runs for effect in run.effects] == states
    if states[0] == "in_doubt":
        assert "after alibaba_orders_cancel" in runs[1].error


async def test_a_result_is_kept_as_it_was_when_it_was_set() -> None:
    seen: list[Any] = []

    async def ship(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("ship") as effect:
            if effect.due:
                parcels = [("1", float("nan"))]
                effect.result = parcels
                parcels.clear()
                effect.result.clear()
        seen.append(effect.result)

    async with Kit(ship) as kit:
        await kit.run(CREATED)
        await kit.replay(CREATED)

    assert seen == [[["1", None]]] * 2
