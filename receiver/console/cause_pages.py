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
_WITHOUT_LABELS: Final[Mapping[str, str]] = {
    "YizhanTooManyRetries": "/sources",
    "YizhanManyRetries": "/sources",
    "YizhanApiDown": "/api",
}


def page_of(cause: Cause) -> str:
    """The path of the page; what is of no source, no handler and not the platform's is the
    system's.
    """
    if page := _PAGES.get(cause.alert):
        return page + query(cause.labels)
    if handler := cause.labels.get("handler"):
        return f"/handlers/{segment(handler)}"
    if source := cause.labels.get("source"):
        return f"/sources/{segment(source)}"
    return _WITHOUT_LABELS.get(cause.alert, "/system")
