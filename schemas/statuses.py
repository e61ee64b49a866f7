"""Our words for states, and the tables from the platforms' words to ours.

The tables' keys are upper case without surrounding space; look up with `order_status` and its
sisters, which answer `unknown` for a word that no table holds.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, Literal, Self, get_args


class _OpenWord(StrEnum):
    """A list of words that may grow: a reader of today takes tomorrow's word as `unknown`."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls("unknown") if isinstance(value, str) and value != "unknown" else None


class OrderStatus(_OpenWord):
    """Where an order stands."""

    PENDING = "pending"
    AWAITING_PAYMENT = "awaiting_payment"
    AWAITING_SHIPMENT = "awaiting_shipment"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    RECEIVED = "received"
    COMPLETED = "completed"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class RefundStatus(_OpenWord):
    """Where a refund case stands."""

    NONE = "none"
    APPLIED = "applied"
    AGREED = "agreed"
    RETURNED = "returned"
    REFUNDED = "refunded"
    REFUSED = "refused"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Progress(_OpenWord):
    """What last happened to a parcel."""

    CONSIGNED = "consigned"
    ACCEPTED = "accepted"
    IN_TRANSIT = "in_transit"
    DELIVERING = "delivering"
    AWAITING_PICKUP = "awaiting_pickup"
    SIGNED = "signed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class PaymentStatus(_OpenWord):
    """Where the payment of a 1688 order, or of one stage of it, stands."""

    UNPAID = "unpaid"
    BEING_PAID = "being_paid"
    PAID = "paid"
    RECEIVED = "received"
    ON_ACCOUNT = "on_account"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    NOT_CREATED = "not_created"
    UNKNOWN = "unknown"


class PaymentOutcome(_OpenWord):
    """How one order of a batch payment ended."""

    SUCCEEDED = "succeeded"
    BALANCE_NOT_ENOUGH = "balance_not_enough"
    ACCOUNT_NOT_FOUND = "account_not_found"
    ACCOUNT_FROZEN = "account_frozen"
    PARAMETERS_ILLEGAL = "parameters_illegal"
    UNKNOWN = "unknown"


Channel = Literal["taobao", "1688", "unknown"]
ClosedBy = Literal["buyer", "seller", "platform", "unknown"]
RefundStage = Literal["in_sale", "after_sale", "unknown"]
Operator = Literal["buyer", "seller", "platform", "unknown"]


def open_word(words: Any) -> Callable[[Any], Any]:
    """For a `Literal` that may grow: its reader takes a text that is none of its words as
    `unknown`; what is no text is given on as it is."""
    known = frozenset(get_args(words))

    def read(value: Any) -> Any:
        return "unknown" if isinstance(value, str) and value not in known else value

    return read


_ORDER: Final[dict[str, OrderStatus]] = {
    # Integer, name and raw spelling: docs/platform/statuses.md#taobao-order-status
    "12": OrderStatus.PENDING,
    "ORDER_BULIDING": OrderStatus.PENDING,
    "BULIDING": OrderStatus.PENDING,
    "0": OrderStatus.AWAITING_PAYMENT,
    "WAIT_BUYER_P": OrderStatus.AWAITING_PAYMENT,
    "WAIT_BUYER_PAY": OrderStatus.AWAITING_PAYMENT,
    "1": OrderStatus.AWAITING_PAYMENT,
    "2": OrderStatus.AWAITING_PAYMENT,
    "3": OrderStatus.AWAITING_PAYMENT,
    "5": OrderStatus.AWAITING_PAYMENT,
    "10": OrderStatus.AWAITING_SHIPMENT,
    "WAIT_SELLER_SEND_GOODS": OrderStatus.AWAITING_SHIPMENT,
    "11": OrderStatus.SHIPPED,
    "WAIT_BUYER_CONFIRM_GOODS": OrderStatus.SHIPPED,
    "4": OrderStatus.CLOSED,
    "TRADE_CLOSED": OrderStatus.CLOSED,
    # docs/platform/statuses.md#1688-order-status
    "WAITBUYERPAY": OrderStatus.AWAITING_PAYMENT,
    "WAITSELLERSEND": OrderStatus.AWAITING_SHIPMENT,
    "WAITBUYERRECEIVE": OrderStatus.SHIPPED,
    "CONFIRM_GOODS": OrderStatus.RECEIVED,
    "CONFIRM_GOODS_AND_HAS_SUBSIDY": OrderStatus.RECEIVED,
    "SUCCESS": OrderStatus.COMPLETED,
    "CANCEL": OrderStatus.CLOSED,
    "TERMINATED": OrderStatus.CLOSED,
    # KA samples: docs/platform/messages.md#messages-of-a-ka-account
    "WAITING_FOR_PAYMENT": OrderStatus.AWAITING_PAYMENT,
    "WAITING_FOR_SENT": OrderStatus.AWAITING_SHIPMENT,
}

_REFUND: Final[dict[str, RefundStatus]] = {
    # docs/platform/statuses.md#taobao-refund-codes
    "0": RefundStatus.NONE,
    "10": RefundStatus.APPLIED,
    "20": RefundStatus.AGREED,
    "90": RefundStatus.AGREED,  # agreed, the refund is pending
    "30": RefundStatus.RETURNED,
    "100": RefundStatus.REFUNDED,
    "-10": RefundStatus.REFUSED,
    "-20": RefundStatus.CLOSED,
    # docs/platform/statuses.md#1688-refund-status. Inferred: the words have no meaning beside them.
    "WAITSELLERAGREE": RefundStatus.APPLIED,
    "WAITBUYERMODIFY": RefundStatus.REFUSED,
    "WAITBUYERSEND": RefundStatus.AGREED,
    "WAITSELLERRECEIVE": RefundStatus.RETURNED,
    "REFUNDSUCCESS": RefundStatus.REFUNDED,
    "REFUNDCLOSE": RefundStatus.CLOSED,
}

_LINE_LOGISTICS: Final[dict[str, OrderStatus]] = {
    "1": OrderStatus.AWAITING_SHIPMENT,
    "2": OrderStatus.SHIPPED,
    "3": OrderStatus.RECEIVED,
    "5": OrderStatus.PARTLY_SHIPPED,
}

_PROGRESS: Final[dict[str, Progress]] = {
    # The messages' own words: docs/platform/statuses.md#waybill-words
    "CONSIGN": Progress.CONSIGNED,
    "ACCEPT": Progress.ACCEPTED,
    "TRANSPORT": Progress.IN_TRANSIT,
    "DELIVERING": Progress.DELIVERING,
    "AGENT_SIGN": Progress.AWAITING_PICKUP,
    "SIGN": Progress.SIGNED,
    "FAILED": Progress.FAILED,
    # 1688's API and Taobao. Inferred: the lists have no meaning beside the words.
    "WAITACCEPT": Progress.CONSIGNED,
    "NOGET": Progress.FAILED,
    "UNSIGN": Progress.FAILED,
    "CANCEL": Progress.FAILED,
    "WAITING_COLLECT": Progress.CONSIGNED,
    "COLLECTED": Progress.ACCEPTED,
    "WAITING_CUSTOMS": Progress.IN_TRANSIT,
    "CUSTOMS_CLEARANCE": Progress.IN_TRANSIT,
    "CUSTOMS_FAILED": Progress.FAILED,
    "SIGNED": Progress.SIGNED,
    "REJECTED": Progress.FAILED,
    "RETURNED": Progress.FAILED,
    "EXCEPTION": Progress.FAILED,
}

_PAYMENT: Final[dict[str, PaymentStatus]] = {
    # docs/platform/statuses.md#1688-payment-status
    "1": PaymentStatus.UNPAID,
    "2": PaymentStatus.PAID,
    "4": PaymentStatus.REFUNDED,
    "6": PaymentStatus.RECEIVED,
    "7": PaymentStatus.NOT_CREATED,
    "8": PaymentStatus.CANCELLED,
    "9": PaymentStatus.BEING_PAID,
    "12": PaymentStatus.ON_ACCOUNT,
}

_OUTCOME: Final[dict[str, PaymentOutcome]] = {
    "SUCCESSED": PaymentOutcome.SUCCEEDED,
    "ACCOUNT_BALANCE_NOT_ENOUGH": PaymentOutcome.BALANCE_NOT_ENOUGH,
    "ACCOUNT_NOT_EXIST": PaymentOutcome.ACCOUNT_NOT_FOUND,
    "ACCOUNT_FROZEN": PaymentOutcome.ACCOUNT_FROZEN,
    "PARAM_ILLEGAL": PaymentOutcome.PARAMETERS_ILLEGAL,
}

_OPERATOR: Final[dict[str, Operator]] = {
    "BUYER": "buyer",
    "SELLER": "seller",
    "SYSTEM": "platform",
}

_CLOSED_BY: Final[dict[str, ClosedBy]] = {
    # The order detail's reasons and operators:
    # docs/platform/calls-orders.md#1688-order-detail-and-list. What the back office, the system and
    # the credit service close, the platform closes.
    "BUYERCANCEL": "buyer",
    "SELLERGOODSLACK": "seller",
    "CLOSE_TRADE_BY_BUYER": "buyer",
    "CLOSE_TRADE_BY_SELLER": "seller",
    "CLOSE_TRADE_BY_BOPS": "platform",
    "CLOSE_TRADE_BY_SYSTEM": "platform",
    "CLOSE_TRADE_BY_CREADIT": "platform",
    # docs/platform/messages.md#messages-of-a-ka-account
    "BUYER_CANCEL": "buyer",
}


def _key(word: str | None) -> str:
    return word.strip().upper() if word else ""


def order_status(word: str | None) -> OrderStatus:
    """Our word for any platform's order or line status."""
    return _ORDER.get(_key(word), OrderStatus.UNKNOWN)


def line_logistics_status(code: str | None) -> OrderStatus:
    """Our word for a `logisticsStatus` (docs/platform/statuses.md#line-logistics-codes)."""
    return _LINE_LOGISTICS.get(_key(code), OrderStatus.UNKNOWN)


def refund_status(word: str | None) -> RefundStatus:
    """Our word for a refund status; the lines' UPPER_SNAKE spelling is the same word."""
    key = _key(word)
    return _REFUND.get(key) or _REFUND.get(key.replace("_", ""), RefundStatus.UNKNOWN)


def progress(word: str | None) -> Progress:
    """Our word for what happened to a parcel, from a message or from either API."""
    return _PROGRESS.get(_key(word), Progress.UNKNOWN)


def payment_status(code: str | None) -> PaymentStatus:
    """Our word for a `payStatus` (docs/platform/statuses.md#1688-payment-status)."""
    return _PAYMENT.get(_key(code), PaymentStatus.UNKNOWN)


def payment_outcome(word: str | None) -> PaymentOutcome:
    """Our word for one order's result (docs/platform/messages.md#batch-payment)."""
    return _OUTCOME.get(_key(word), PaymentOutcome.UNKNOWN)


def operator(word: str | None) -> Operator:
    """Who acted on a refund (docs/platform/messages.md#refund-part-of-a-topic)."""
    return _OPERATOR.get(_key(word), "unknown")


def closed_by(*words: str | None) -> ClosedBy:
    """Who closed a 1688 order, by the first word that says it: an operator, or a reason."""
    return next((_CLOSED_BY[_key(word)] for word in words if _key(word) in _CLOSED_BY), "unknown")
