"""The fact id of single events: what handlers derive, what names no order, what times are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.bus.codec import decode_event, encode_event
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.facts import fact_id
from receiver.replay.sinks.file import structured
from receiver.testing import make_event, run_handler
from receiver.worker.interface import Context
from schemas.events import (
    EVENT_MODELS,
    EventData,
    LogisticsProgressed,
    OrderCreated,
    OrderPriceChanged,
    OrderSynced,
    Parcel,
    PaymentSucceeded,
)
from schemas.times import CHINA

ORDER = {"channel": "1688", "order_id": "2745812000123456789"}
TIME = datetime(2026, 1, 31, 8, tzinfo=CHINA)
CAUSE = make_event(OrderCreated.model_validate(ORDER))


async def derived(data: EventData, cause: Event[OrderCreated] = CAUSE) -> Event[EventData]:
    """The event of a handler that returns `data`, as it was published."""

    async def derive(event: Event[OrderCreated], ctx: Context) -> EventData:
        return data

    (event,) = (await run_handler(derive, cause)).published
    return event


async def test_a_handler_that_reports_a_payment_reports_the_fact_of_the_callback() -> None:
    paid = PaymentSucceeded.model_validate(ORDER)
    assert (await derived(paid)).fact_id == fact_id(paid, "any", TIME)


@pytest.mark.parametrize("model", [OrderPriceChanged, OrderSynced])
async def test_what_a_handler_makes_without_a_time_is_a_fact_for_each_cause(
    model: type[EventData],
) -> None:
    data = model.model_validate(ORDER)
    first, rerun = await derived(data), await derived(data)
    other = await derived(data, replace(CAUSE, id="another.0"))
    assert first.fact_id == rerun.fact_id != other.fact_id


@pytest.mark.parametrize("order_id", [None, ""], ids=repr)
@pytest.mark.parametrize("model", EVENT_MODELS, ids=lambda model: model.event_type)
def test_events_that_name_no_order_are_facts_of_their_own(
    model: type[EventData], order_id: str | None
) -> None:
    data = model.model_validate({"channel": "1688", "order_id": order_id})
    assert fact_id(data, "a.0", TIME) != fact_id(data, "b.0", TIME)


def test_a_moment_is_the_same_in_every_zone() -> None:
    price = OrderPriceChanged.model_validate(ORDER)
    assert fact_id(price, "a.0", TIME) == fact_id(price, "b.0", TIME.astimezone(UTC))


def test_a_moment_counts_to_the_millisecond() -> None:
    price = OrderPriceChanged.model_validate(ORDER)
    later = TIME + timedelta(milliseconds=1)
    assert fact_id(price, "a.0", TIME) != fact_id(price, "a.0", later)


def test_a_parcel_is_known_by_its_waybill_number_however_it_is_spelled() -> None:
    ids = {
        fact_id(
            LogisticsProgressed(
                channel="1688", order_id="1", parcel=Parcel(waybill_no=spelled), changed_at=TIME
            ),
            spelled,
        )
        for spelled in ("SF 123", "sf123", " SF123\u3000")
    }
    assert len(ids) == 1


def test_a_fact_id_comes_back_from_the_wire_and_stands_in_an_export() -> None:
    event = make_event(OrderPriceChanged.model_validate(ORDER), fact_id="f" * 32)
    message = encode_event(event, Subjects())
    assert decode_event(message.headers, message.body).fact_id == "f" * 32
    assert f'"factid": "{"f" * 32}"' in structured(message.headers, message.body)


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_any_event_id_makes_a_fact_id(event_id: str, order_no: str) -> None:
    made = fact_id(OrderSynced(channel="1688", order_id="1", order_no=order_no), event_id)
    assert len(made) == 32
    assert int(made, 16) >= 0
