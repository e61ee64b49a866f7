"""What an order of 1688 would be, and what was made of it.

docs/platform/calls-orders.md#1688-order-preview, docs/platform/calls-orders.md#1688-order-creation
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from receiver.simulator.asked import Asked, RefusedError, refusal
from receiver.simulator.orders import MAX_LINES, Order, Wanted
from receiver.simulator.world import SHIPPING_FEN, World

_SOLD_OFFLINE: Final = "500_001"
_SEVERAL_SELLERS: Final = "500_002"
_OTHER_SPEC: Final = "500_003"
_STOCK: Final = "500_004"
_TOO_FEW: Final = "500_005"


@dataclass(frozen=True)
class OrderRefusedError(Exception):
    """Why an order cannot be made, and the line at fault as it was asked for."""

    code: str
    text: str
    offer_id: str | None = None
    spec_id: str | None = None


def lines_of(world: World, asked: Asked, *, highest: int | None = MAX_LINES) -> list[Wanted]:
    """The lines that `cargoParamList` asks for, each of which can be ordered.

    Raises `OrderRefusedError`.
    """
    lines = [_line(world, part) for part in asked.parts("cargoParamList", highest=highest)]
    check_lines(world, lines)
    return lines


def check_lines(world: World, lines: Sequence[Wanted]) -> None:
    """Raise `OrderRefusedError` for less than the minimum, and for more than is in stock."""
    for line in lines:
        wanted = sum(other.quantity for other in lines if other.sku is line.sku)
        if line.quantity < line.product.least:
            raise _refused(_TOO_FEW, "below the minimum quantity", line)
        if wanted > world.stock[line.sku.sku_id]:
            raise _refused(_STOCK, "not enough in stock", line)


def one_seller(lines: Sequence[Wanted]) -> None:
    """Raise `OrderRefusedError` for lines of several sellers."""
    if len({line.product.shop.open_id for line in lines}) > 1:
        raise _refused(_SEVERAL_SELLERS, "several sellers", lines[0])


def by_seller(lines: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    """The lines of each seller."""

    def seller(line: Wanted) -> str:
        return line.product.shop.open_id

    for _, part in groupby(sorted(lines, key=seller), seller):
        yield list(part)


def preview(world: World, asked: Asked, lines: Sequence[Wanted]) -> Any:
    """What a create would make of the lines: in KA a list with amounts in fen."""
    if asked.edition == "ka":
        return [_ka_preview(world, part) for part in by_seller(lines)]
    return {
        "orderPreviewResuslt": [_preview(part) for part in by_seller(lines)],
        "success": True,
        "errorCode": None,
        "errorMsg": None,
        "postFeeByDescOfferList": [],
        "consignOfferList": [],
        "unsupportedCrossBorderPayOfferList": [],
    }


def preview_refused(error: OrderRefusedError) -> RefusedError:
    """The refusal of a preview."""
    return refusal(error.code, error.text, text_name="errorMsg")


def created(order: Order) -> dict[str, Any]:
    """The reply of a create that made one order; amounts in fen."""
    return {
        "totalSuccessAmount": order.total_fen,
        "orderId": order.order_id,
        "success": True,
        "code": None,
        "message": None,
        "postFee": order.shipping_fen,
        "accountPeriod": None,
        "failedOfferList": [],
        "orderList": None,
    }


def created_several(orders: Sequence[Order]) -> dict[str, Any]:
    """The reply of a create that made several orders."""
    return {"success": True, "orderList": [_one_of_several(order) for order in orders]}


def not_created(error: OrderRefusedError) -> RefusedError:
    """The refusal of a create."""
    failed = {
        "offerId": error.offer_id,
        "specId": error.spec_id,
        "errorCode": error.code,
        "errorMessage": error.text,
    }
    return RefusedError(
        {
            "totalSuccessAmount": None,
            "orderId": None,
            "success": False,
            "code": error.code,
            "message": error.text,
            "postFee": None,
            "accountPeriod": None,
            "failedOfferList": [failed],
            "orderList": None,
        }
    )


def _line(world: World, part: Asked) -> Wanted:
    name = part.named("offerMapId", "offerId")
    quantity = part.integer("quantity", lowest=1)
    spec_id = part.maybe_text("specId")
    product = world.catalogue.find("1688", name)
    if product is None:
        raise OrderRefusedError(_SOLD_OFFLINE, "not sold online", name, spec_id)
    if spec_id is None:
        raise OrderRefusedError(_SEVERAL_SELLERS, "no spec id", name)
    sku = next((sku for sku in product.skus if sku.spec_id == spec_id), None)
    if sku is None:
        raise OrderRefusedError(_OTHER_SPEC, "the spec is of another product", name, spec_id)
    return Wanted(product, sku, quantity)


def _refused(code: str, text: str, line: Wanted) -> OrderRefusedError:
    return OrderRefusedError(code, text, line.product.product_id, line.sku.spec_id)


def _sums(lines: Sequence[Wanted]) -> dict[str, int]:
    goods = sum(line.fen for line in lines)
    return {
        "sumPayment": goods + SHIPPING_FEN,
        "sumCarriage": SHIPPING_FEN,
        "sumPaymentNoCarriage": goods,
    }


def _preview(lines: Sequence[Wanted]) -> dict[str, Any]:
    """Sums in fen, beside amounts of the lines in yuan."""
    return _sums(lines) | {
        "discountFee": 0,
        "tradeModeNameList": ["assureTrade"],
        "status": True,
        "taoSampleSinglePromotion": False,
        "message": None,
        "resultCode": None,
        "additionalFee": None,
        "flowFlag": "general",
        "cargoList": [
            {
                **_cargo(line),
                "amount": line.fen / 100,
                "finalUnitPrice": line.sku.price_fen / 100,
                "resultCode": None,
                "cargoPromotionList": [],
            }
            for line in lines
        ],
        "shopPromotionList": [],
        "tradeModelList": [
            {
                "tradeWay": None,
                "name": "担保交易",
                "tradeType": "assureTrade",
                "description": None,
                "opSupport": True,
            }
        ],
        "payChannelInfos": [{"name": "alipay", "amountLimit": None}],
    }


def _ka_preview(world: World, lines: Sequence[Wanted]) -> dict[str, Any]:
    sums = _sums(lines)
    items = [
        {**_cargo(line), "amount": line.fen, "finalUnitPrice": line.sku.price_fen} for line in lines
    ]
    return sums | {"sumTotalPayment": sums["sumPayment"], "orderItemTOList": items}


def _cargo(line: Wanted) -> dict[str, Any]:
    return {
        "message": None,
        "specId": line.sku.spec_id,
        "skuId": int(line.sku.sku_id),
        "offerId": int(line.product.product_id),
        "openOfferId": line.product.opaque_id,
    }


def _one_of_several(order: Order) -> dict[str, Any]:
    return {
        "postFee": order.shipping_fen,
        "orderAmmount": order.total_fen,
        "message": None,
        "resultCode": "200",
        "success": True,
        "orderId": order.order_id,
        "payChannel": "alipay",
    }
