"""What the function of a row is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from receiver.simulator.asked import Asked
from receiver.simulator.world import World

Answer = Callable[[World, Asked], Any]
"""Gives the `data` of the reply; raises `UnreadableError`, `NotFoundError` or `RefusedError`."""
