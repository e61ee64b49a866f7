"""Every screen of the console, in the order of the menu."""

from __future__ import annotations

from typing import Final

from receiver.console.screen import Screen
from receiver.console.screens import now

SCREENS: Final[tuple[Screen, ...]] = (now.SCREEN,)
