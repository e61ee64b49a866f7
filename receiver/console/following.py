"""Following an order: its page renews itself once something of the order is stored."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

from receiver.console.desk import Desk
from receiver.console.rendering import query
from receiver.console.screen import Asked
from receiver.console.sent_events import beating, message
from receiver.errors import BusError, ConfigurationError
from receiver.operations.look.order_changes import Change, changes, order_mark

AFTER: Final = "after"
"""The mark behind which a viewer follows."""
_MARK: Final = re.compile(r"[0-9]{1,15}(-[0-9]{1,15}){3}")


async def followed(desk: Desk, page: str, order_id: str | None) -> str:
    """The path of what comes meanwhile, for a page that is read from now on; empty where NATS does
    not say it, or not to us, and so nothing can be followed.
    """
    try:
        mark = await order_mark(desk.connection, desk.subjects, order_id)
    except (BusError, ConfigurationError):
        return ""
    return f"/live{page}{query({AFTER: mark})}"


async def follow(desk: Desk, asked: Asked, order_id: str | None) -> AsyncIterator[bytes]:
    """Server-sent events: `stored` once something new is, its id the mark behind which a viewer
    that comes back goes on; `away` where NATS does not answer.
    """
    given = asked.others.get(AFTER, "")
    mark = given if _MARK.fullmatch(given) else ""
    return beating(_parts(changes(desk.connection, desk.subjects, order_id, mark, desk.ending)))


async def _parts(found: AsyncIterator[Change]) -> AsyncIterator[bytes]:
    async for change in found:
        if change.why:
            yield message("away", {"why": change.why})
        else:
            yield message("stored", {}, change.mark) if change.mark else b""
