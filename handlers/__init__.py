"""The handlers that come with Yizhan: the composition list, one module for each concern."""

from __future__ import annotations

from handlers import notify, tracking
from yizhan import Router

router = Router()
router.include(tracking.router, notify.router)

__all__ = ["router"]
