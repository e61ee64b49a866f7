"""`python -m receiver.contract events > docs/events.md`: write a generated page or file anew."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

from receiver.contract.alert_rules import alert_rules
from receiver.contract.api_page import api_page
from receiver.contract.dashboard import dashboard
from receiver.contract.metrics_page import metrics_page
from receiver.contract.page import events_page
from receiver.settings.alerts import AlertsSettings

_PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "events": events_page,
    "api": api_page,
    "metrics": metrics_page,
    "alerts": lambda: alert_rules(AlertsSettings().runbook),
    "dashboard": dashboard,
}


def main(names: list[str]) -> None:
    """Print the page of that name; exits where there is none."""
    if len(names) != 1 or names[0] not in _PAGES:
        sys.exit(f"name one of the pages: {', '.join(_PAGES)}")
    sys.stdout.buffer.write(_PAGES[names[0]]().encode())


if __name__ == "__main__":
    main(sys.argv[1:])
