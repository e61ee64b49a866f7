"""Who looks at the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "operator", "admin"]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks, by the name that is recorded with what they do; `personal` says whether they
    may see personal data.
    """

    name: str
    role: Role
    personal: bool
