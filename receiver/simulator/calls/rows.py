"""Every row that the simulator answers, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from receiver.simulator.calls import (
    addresses,
    alibaba_cart,
    alibaba_orders,
    alibaba_products,
    alibaba_refunds,
    alibaba_searches,
    taobao_cart,
    taobao_orders,
    taobao_products,
    taobao_refunds,
    warehouse,
)
from receiver.simulator.calls.answer import Answer

ANSWERS: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        **alibaba_products.ROWS,
        **alibaba_searches.ROWS,
        **alibaba_orders.ROWS,
        **alibaba_cart.ROWS,
        **alibaba_refunds.ROWS,
        **taobao_products.ROWS,
        **taobao_orders.ROWS,
        **taobao_cart.ROWS,
        **taobao_refunds.ROWS,
        **addresses.ROWS,
        **warehouse.ROWS,
    }
)
