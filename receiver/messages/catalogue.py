"""Every platform message we read, and the events it makes: the table of the contract.

The readers are `alibaba.TOPICS`, `taobao.read_message` and the dialects; a test runs every fixture
through them and proves this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from receiver.settings import DialectName
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
from schemas.statuses import Channel


@dataclass(frozen=True, slots=True)
class PlatformMessage:
    """One kind of message: its name without the optional channel prefix, and what it makes.

    A name may be a pattern of `fnmatch`; one holding `*` is not documented: the message is known by
    its body. `models` are the events it can make; one callback makes one or more of them.
    """

    name: str
    channel: Channel
    dialects: tuple[DialectName, ...]
    models: tuple[type[EventData], ...]
    meaning: str
    label: str = ""

    @property
    def event_types(self) -> tuple[str, ...]:
        """`order.created` and its like, in the order made."""
        return tuple(model.event_type for model in self.models)

    @property
    def title(self) -> str:
        """The name as a reader knows it: `TAOBAO_…STATUS…` where it is not documented."""
        if self.label or self.name.isdigit():
            return self.label or f"message_type {self.name}"
        prefix = "TAOBAO_" if self.channel == "taobao" else ""
        return prefix + self.name.replace("*", "…")


def _ka(name: str, model: type[EventData], meaning: str) -> PlatformMessage:
    """A message of the platform's own 1688 feed alone."""
    return PlatformMessage(name, "1688", ("xport",), (model,), meaning)


def _topic(name: str, model: type[EventData], meaning: str) -> PlatformMessage:
    """A topic of the 1688 open platform; it may arrive in the platform's feed too."""
    return PlatformMessage(name, "1688", ("xport", "aop"), (model,), meaning)


_STATUS_MODELS: Final = (
    OrderStatusChanged,
    LogisticsShipped,
    LogisticsPartlyShipped,
    AftersalesRefundUpdated,
)
_STATUS_MEANING: Final = (
    "The status of an order or of a line changed; shipped lines make an event of their own"
)

MESSAGES: Final[tuple[PlatformMessage, ...]] = (
    _ka("ORDER_CREATE", OrderCreated, "Order created"),
    _ka("ORDER_CANCEL", OrderClosed, "Order cancelled"),
    _ka("ORDER_PAY_SUCCESS", PaymentSucceeded, "Order paid"),
    _ka("ORDER_BUYER_VIEW_ORDER_BUYER_REFUND", AftersalesRefundUpdated, "Refund case moved"),
    _topic("ORDER_BUYER_VIEW_BUYER_MAKE", OrderCreated, "Order created"),
    _topic("ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", OrderPriceChanged, "Price changed"),
    _topic("ORDER_ORDER_PRICE_MODIFY", OrderPriceChanged, "Price changed, the seller's view"),
    _topic("ORDER_BUYER_VIEW_ORDER_PAY", PaymentSucceeded, "Order paid"),
    _topic("ORDER_BUYER_VIEW_ORDER_STEP_PAY", PaymentStageSucceeded, "One stage paid"),
    _topic("ORDER_BATCH_PAY", PaymentBatchSettled, "Outcome of a batch payment, an event an order"),
    _topic("ORDER_BUYER_VIEW_PART_PART_SENDGOODS", LogisticsPartlyShipped, "Partly shipped"),
    _topic("ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS", LogisticsShipped, "Shipped"),
    _topic(
        "ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS",
        OrderReceiptConfirmed,
        "Receipt confirmed, also partly (spelled so)",
    ),
    _topic("ORDER_BUYER_VIEW_ORDER_SUCCESS", OrderCompleted, "Trade completed"),
    _topic("ORDER_BUYER_VIEW_ORDER_BUYER_CLOSE", OrderClosed, "Closed by the buyer"),
    _topic("ORDER_BUYER_VIEW_ORDER_SELLER_CLOSE", OrderClosed, "Closed by the seller or a refund"),
    _topic("ORDER_BUYER_VIEW_ORDER_BOPS_CLOSE", OrderClosed, "Closed by the platform or unpaid"),
    _topic(
        "ORDER_BUYER_VIEW_ORDER_BUYER_REFUND_IN_SALES",
        AftersalesRefundUpdated,
        "Refund before completion",
    ),
    _topic(
        "ORDER_BUYER_VIEW_ORDER_REFUND_AFTER_SALES",
        AftersalesRefundUpdated,
        "Refund after completion",
    ),
    _topic("LOGISTICS_BUYER_VIEW_TRACE", LogisticsProgressed, "Parcel moved, an event an order"),
    _topic("LOGISTICS_MAIL_NO_CHANGE", LogisticsWaybillChanged, "Waybill number changed"),
    _topic(
        "LOGISTICS_GLOBAL_1688_PACKAGE_CHANGE",
        LogisticsPackageChanged,
        "Cross-border package created or changed",
    ),
    _topic("ORDER_BUYER_VIEW_ORDER_SELLER_MODIFY_ADRESS", UnknownReceived, "Known by name only"),
    _topic("LOGISTICS_OFFICIAL_WAREHOUSE_OUTBOUND", UnknownReceived, "Known by name only"),
    _topic("AUTHORIZATION_CANCEL", UnknownReceived, "Known by name only"),
    _topic("AUTHORIZATION_SUCCESS", UnknownReceived, "Known by name only"),
    PlatformMessage(
        "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY",
        "taobao",
        ("xport",),
        (OrderPriceChanged,),
        "Price changed",
    ),
    PlatformMessage("*STATUS*", "taobao", ("xport",), _STATUS_MODELS, _STATUS_MEANING),
    PlatformMessage(
        "*REFUND*", "taobao", ("xport",), (AftersalesRefundUpdated,), "After-sales refund moved"
    ),
    PlatformMessage("3", "taobao", ("global",), _STATUS_MODELS, _STATUS_MEANING),
    PlatformMessage("8", "taobao", ("global",), (OrderPriceChanged,), "Price changed"),
    PlatformMessage(
        "9",
        "taobao",
        ("global",),
        (AftersalesRefundUpdated, UnknownReceived),
        "Refund moved; unknown where no refund id can be read",
    ),
    PlatformMessage(
        "1[1345678]",
        "taobao",
        ("global",),
        (UnknownReceived,),
        "Product messages",
        label="message_type 11, 13 to 18",
    ),
)
"""Every row, in the order of the platforms' own tables. What is in no row is `unknown.received`."""


def messages_of(event_type: str) -> tuple[PlatformMessage, ...]:
    """The messages that can make events of a type; none for what only handlers make."""
    return tuple(message for message in MESSAGES if event_type in message.event_types)
