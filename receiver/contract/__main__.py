"""`python -m receiver.contract events > docs/events.md`: write a generated page anew."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

from receiver.contract.api_page import api_page
from receiver.contract.page import events_page

_PAGES: Final[Mapping[str, Callable[[], str]]] = {"events": events_page, "api": api_page}

if len(sys.argv) != 2 or sys.argv[1] not in _PAGES:
    sys.exit(f"name one of the pages: {', '.join(_PAGES)}")
sys.stdout.buffer.write(_PAGES[sys.argv[1]]().encode())
