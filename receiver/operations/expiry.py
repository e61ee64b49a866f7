"""Events that the stream drops before their paused handler has run them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from receiver.bus.connection import Sleep
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.operations.handlers import HandlerOperations

_LOOK_S: Final = 60.0
_AGAIN: Final = timedelta(days=1)
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def warn_of_expiry(
    operations: HandlerOperations,
    *,
    owns: Callable[[str], bool],
    now: Callable[[], datetime],
    sleep: Sleep,
) -> None:
    """Log a warning a day for each paused handler whose oldest event expires soon, until cancelled.

    Only of those that this process `owns`, or every process would say the same.
    """
    warned: dict[str, datetime] = {}
    log = get_logger("yizhan.handlers")
    while True:
        with contextlib.suppress(BusError):
            for view in await operations.expiring(now()):
                if not owns(view.name) or now() - warned.get(view.name, _NEVER) < _AGAIN:
                    continue
                warned[view.name] = now()
                log.warning(
                    "events_expire_while_paused",
                    handler=view.name,
                    stream_seq=view.oldest.seq if view.oldest else None,
                    expires_at=view.expires_at.isoformat() if view.expires_at else None,
                    action=f"yizhan handlers resume {view.name}, or raise nats.max_age_days",
                )
        await sleep(_LOOK_S)
