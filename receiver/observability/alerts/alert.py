"""One row of the table of alerts. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from receiver.observability.alerts.conditions import NO_WINDOW, Condition, labels, window

Severity = Literal["critical", "warning"]
"""`critical`: callbacks are lost or late, or will be within hours; somebody gets up. `warning`: on
the same day."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What is wrong where `condition` has held for the time `lasting`.

    `summary` may name a label as `{source}`; `action` is what to do first, more is in the section
    of the runbook that has the alert's name. Neither ever holds what a callback holds.
    """

    name: str
    severity: Severity
    condition: Condition
    summary: str
    action: str
    lasting: timedelta = NO_WINDOW

    @property
    def anchor(self) -> str:
        """Of its section in the runbook."""
        return self.name.lower()

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels by which its cases differ."""
        return labels(self.condition)

    @property
    def window(self) -> timedelta:
        """How far it looks back."""
        return window(self.condition)

    def summary_for(self, labels: Mapping[str, str]) -> str:
        """The summary of one case."""
        return self.summary.format_map(labels)
