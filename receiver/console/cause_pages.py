"""Where one acts on a cause that Now names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from receiver.console.rendering import query, segment
from receiver.operations.look.causes import Cause

_PAGES: Final[Mapping[str, str]] = {
    "YizhanCallbacksUnreadable": "/quarantine",
    "YizhanDeadLetters": "/dead",
    "YizhanEffectInDoubt": "/doubt",
}
"""Of the alerts whose page is none of their source or handler; its filters are their labels."""


def page_of(cause: Cause) -> str:
    """The path of the page; "" where nothing is done on a page."""
    if page := _PAGES.get(cause.alert):
        return page + query(cause.labels)
    if handler := cause.labels.get("handler"):
        return f"/handlers/{segment(handler)}"
    if "source" in cause.labels:
        return "/events" + query(cause.labels)
    return ""
