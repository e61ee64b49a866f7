"""Whether the platform's API shows what an event says: for handlers with `trust="requeried"`.

What is confirmed is the fact that the event's type names, not each of its fields.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

from receiver.errors import APIRejectedError, ConfigurationError, UnconfirmedError
from receiver.event import Event
from receiver.worker import shown
from receiver.worker.options import DEFAULT_CONFIRM_WITHIN_S, HandlerOptions
from receiver.worker.outcomes import DeadLetter, NakWithDelay
from receiver.worker.retry_policy import SHORTEST_DELAY_S, RetryPolicy
from receiver.worker.shown import Case, Order, Parcels
from schemas.events import (
    AftersalesRefundUpdated,
    EventData,
    LogisticsPackageChanged,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsShipped,
    LogisticsWaybillChanged,
    OrderClosed,
    OrderCompleted,
    OrderCreated,
    OrderPriceChanged,
    OrderReceiptConfirmed,
    OrderStatusChanged,
    PaymentBatchSettled,
    PaymentStageSucceeded,
    PaymentSucceeded,
    UnknownReceived,
)
from schemas.statuses import OrderStatus, RefundStatus
from schemas.values import Money

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI

DataT = TypeVar("DataT", bound=EventData)


async def _order(api: PlatformAPI, data: EventData) -> Order:
    if data.order_id is None:
        raise _nothing_to_ask(data)
    if data.channel == "1688":
        detail = await api.alibaba.orders.detail(data.order_id)
        head = detail.base_info
        return Order(
            head.our_status if head else OrderStatus.UNKNOWN,
            head.status if head else None,
            paid=head is not None and head.pay_time is not None,
            totals=[head.total_amount] if head and head.total_amount else (),
            lines=[(line.sub_item_id, line.our_status) for line in detail.product_items],
            stages=[term.our_pay_status for term in detail.trade_terms],
        )
    purchase = await api.taobao.orders.detail(data.order_id)
    amounts = (
        (purchase.purchase_amount, purchase.purchase_currency),
        (
            purchase.pay_amount,
            purchase.pay_currency,
        ),
    )
    return Order(
        purchase.our_status,
        purchase.status,
        paid=purchase.pay_time is not None,
        totals=[
            Money.yuan(money.amount, currency or money.currency)
            for money, currency in amounts
            if money is not None
        ],
        lines=[(line.sub_purchase_order_id, line.our_status) for line in purchase.sub_orders],
    )


async def _case(api: PlatformAPI, data: AftersalesRefundUpdated) -> Case:
    if data.refund_id is None:
        raise _nothing_to_ask(data)
    if data.channel == "1688":
        refund = await api.alibaba.refunds.detail(data.refund_id)
        return Case(refund.our_status, refund.status, refund.order_id)
    case = (await api.taobao.refunds.detail(data.refund_id)).case
    return Case(case.our_status, case.refund_status) if case else Case(RefundStatus.UNKNOWN, None)


async def _parcels(api: PlatformAPI, data: EventData) -> Parcels:
    if data.order_id is None or data.channel != "1688":
        raise _nothing_to_ask(data)
    traces = (await api.alibaba.orders.logistics(data.order_id)).traces
    return Parcels(
        [
            (
                frozenset(filter(None, (trace.logistics_bill_no, trace.logistics_id))),
                frozenset(node.progress for node in trace.trace_node_list),
            )
            for trace in traces
        ]
    )


_NEVER: Final = frozenset({UnknownReceived, LogisticsPackageChanged})
"""What comes from outside and no call shows."""
_Ask: TypeAlias = Callable[["PlatformAPI", Any], Awaitable[Any]]
_Shows: TypeAlias = Callable[[Any, Any], bool]
WAYS: Final[Mapping[type[EventData], tuple[_Ask, _Shows]]] = MappingProxyType(
    {
        OrderCreated: (_order, shown.exists),
        OrderPriceChanged: (_order, shown.is_priced),
        OrderStatusChanged: (_order, shown.has_status),
        OrderClosed: (_order, shown.is_closed),
        OrderReceiptConfirmed: (_order, shown.is_received),
        OrderCompleted: (_order, shown.is_completed),
        PaymentSucceeded: (_order, shown.is_paid),
        PaymentStageSucceeded: (_order, shown.is_stage_paid),
        PaymentBatchSettled: (_order, shown.is_batch_paid),
        LogisticsShipped: (_order, shown.is_shipped),
        LogisticsPartlyShipped: (_order, shown.is_partly_shipped),
        LogisticsProgressed: (_parcels, shown.has_moved),
        LogisticsWaybillChanged: (_parcels, shown.has_waybill),
        AftersalesRefundUpdated: (_case, shown.has_refund_status),
    }
)
"""What is asked for an event of each model, and whether the answer shows it."""


class _Handler(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def models(self) -> tuple[type[EventData], ...]: ...
    @property
    def options(self) -> HandlerOptions: ...


def check_confirmable(handler: _Handler) -> None:
    """Raise `ConfigurationError` for a handler whose events are to be confirmed and cannot be, or
    whose `only` would go by events that were not.
    """
    if handler.options.trust != "requeried":
        return
    if handler.options.only is not None:
        raise ConfigurationError(
            f"the handler {handler.name} (trust): only={handler.options.only!r} goes by every "
            "event that came, so an invented one would hold back a true one: leave it out, and do "
            "what is to be done once in ctx.once"
        )
    never = [model.event_type for model in handler.models if model in _NEVER]
    if never:
        raise ConfigurationError(
            f"the handler {handler.name} (trust): no call of the platform confirms "
            f"{', '.join(never)}: take that in a handler of its own"
        )


def decide_unconfirmed(
    error: UnconfirmedError,
    waited_s: float,
    attempt: int,
    options: HandlerOptions,
    policy: RetryPolicy,
) -> NakWithDelay | DeadLetter:
    """What to do with an event that was not confirmed `waited_s` after it came in: ask again by the
    policy, for the last time as the limit is over.
    """
    left_s = (options.confirm_within_s or DEFAULT_CONFIRM_WITHIN_S) - waited_s
    if error.final or left_s <= 0:
        return DeadLetter(f"unconfirmed: {error}")
    delay_s = max(SHORTEST_DELAY_S, min(left_s, policy.delay_s(attempt)))
    return NakWithDelay(delay_s, "postponed", failed=False)


async def confirmed(event: Event[DataT], api: PlatformAPI) -> Event[DataT]:
    """The event with the trust `requeried`, once the platform shows it; one that has it costs no
    call. Raises `UnconfirmedError`, and `APIError` where the platform gives no answer.
    """
    if event.trust == "requeried":
        return event
    data = event.data
    if data.channel == "unknown" or type(data) not in WAYS:
        raise _nothing_to_ask(data)
    ask, shows = WAYS[type(data)]
    try:
        answer = await ask(api, data)
    except APIRejectedError as error:  # such as an order that it does not know, or not yet
        raise UnconfirmedError(f"{data.event_type}: the platform says: {error}") from error
    if not shows(data, answer):
        word = getattr(answer, "word", None)
        seen = f", which is at {word!r}" if word else ""
        raise UnconfirmedError(f"{data.event_type}: the platform does not show it{seen}")
    return replace(event, trust="requeried")


def _nothing_to_ask(data: EventData) -> UnconfirmedError:
    return UnconfirmedError(
        f"{data.event_type}: there is no call, or no id, by which the platform shows it",
        final=True,
    )
