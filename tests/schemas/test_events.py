"""What `schemas.events` offers to authors of handlers."""

from __future__ import annotations

import pytest

import schemas.events
from schemas.events import EVENT_MODELS, AftersalesRefundUpdated, OrderClosed


def test_every_model_can_be_imported_by_its_name() -> None:
    assert {model.__name__ for model in EVENT_MODELS} <= set(schemas.events.__all__)


def test_a_word_that_was_added_later_is_unknown() -> None:
    closed = OrderClosed.model_validate({"channel": "douyin", "closed_by": "court"})
    refund = AftersalesRefundUpdated.model_validate(
        {"channel": "1688", "stage": "mid_sale", "operator": "robot", "status": "pondered"}
    )
    assert (closed.channel, closed.closed_by) == ("unknown", "unknown")
    assert (refund.stage, refund.operator, refund.status) == ("unknown", "unknown", "unknown")


@pytest.mark.parametrize("word", [5, None, [], True], ids=repr)
def test_what_is_no_text_is_no_word(word: object) -> None:
    with pytest.raises(ValueError, match="closed_by"):
        OrderClosed.model_validate({"channel": "1688", "closed_by": word})
