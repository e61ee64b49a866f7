"""`python -m receiver.contract > docs/events.md`: write the page anew."""

from __future__ import annotations

import sys

from receiver.contract.page import events_page

sys.stdout.buffer.write(events_page().encode())
