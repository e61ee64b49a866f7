"""Who looks at the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from receiver.settings.console import Role

__all__ = ["Role", "Viewer"]

_RANKS: Final[dict[Role, int]] = {"viewer": 0, "operator": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class Viewer:
    """One who was let in. `personal`: they may reveal personal data, whatever their role."""

    name: str
    role: Role
    personal: bool

    def may(self, role: Role) -> bool:
        """Whether they may do what `role` may."""
        return _RANKS[self.role] >= _RANKS[role]
