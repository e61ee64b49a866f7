"""The handlers that come with Yizhan: the composition list, one module for each concern."""

from __future__ import annotations

from handlers import aftersales_sync, notify, order_state, order_sync, tracking
from yizhan import Router

router = Router()
router.include(
    tracking.router,
    order_sync.router,
    aftersales_sync.router,
    notify.router,
    order_state.router,
)

__all__ = ["router"]
