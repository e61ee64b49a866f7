"""Whatever order an order's events come in, and however often: one state, one set of effects."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import EVENT_MODELS, UnknownReceived
from tests.projection.histories import SAMPLES, START, check, histories, read, shuffled


@pytest.mark.timeout(900)  # 1,000 histories take 20 s of processor time on a usual machine
@settings(max_examples=1_000)
@given(st.data())
def test_any_permutation_duplication_and_retransmission_ends_in_one_state(
    data: st.DataObject,
) -> None:
    history = data.draw(histories())
    check(history, data.draw(shuffled(history)))


def test_the_samples_make_every_event_that_a_platform_reports_of_an_order() -> None:
    made = {
        event.event_type
        for samples in SAMPLES.values()
        for sample in samples
        for event in read(sample.dialect, sample.at(1, pushed=2, yuan=11), START, None)
    }
    by_handlers = {"order.synced", "logistics.tracked", "aftersales.synced"}
    assert made | by_handlers | {UnknownReceived.event_type} == {m.event_type for m in EVENT_MODELS}


def test_a_sample_has_the_times_and_the_total_that_it_is_given() -> None:
    sample = next(s for s in SAMPLES["2745812000123456789"] if '"ORDER_PAY_SUCCESS"' in s.text)
    (one,) = read("xport", sample.at(5, pushed=6, yuan=12), START, None)
    (two,) = read("xport", sample.at(7, pushed=9, yuan=11), START, one.callback_id)
    assert (two.time - one.time).total_seconds() == 120
    assert one.data != two.data
    assert two.retransmission_of == one.callback_id
