"""How often whoever gives a wrong token may try again."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from receiver.bounded_cache import BoundedCache
from receiver.console.doors.visit import RefusedError
from receiver.settings.networks import Address

FREE: Final = 5
"""So many wrong tokens of one address are answered at once."""
PAUSE_S: Final = 60.0
_REMEMBERED: Final = 4096


class Attempts:
    """Counts wrong tokens by address (of IPv6, by /64): after `FREE` of them, each further try must
    wait until `PAUSE_S` have passed since the last one that was wrong.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: BoundedCache[tuple[int, float]] = BoundedCache(_REMEMBERED)

    def wait_s(self, address: Address | None) -> float:
        """How long the address has to wait; 0 where it may try now."""
        count, last = self._wrong.get(_key(address)) or (0, 0.0)
        return max(0.0, last + PAUSE_S - self._clock()) if count >= FREE else 0.0

    def begin(self, address: Address | None, refusal: str) -> None:
        """Count a try, as wrong until it is `right`, since many may come at once; raises
        `RefusedError` with the sentence `refusal` where the address has to wait.
        """
        if wait_s := self.wait_s(address):
            raise RefusedError(429, refusal, [("retry-after", str(int(wait_s) + 1))])
        self.wrong(address)

    def wrong(self, address: Address | None) -> None:
        """Count a wrong token."""
        count, last = self._wrong.get(_key(address)) or (0, 0.0)
        now = self._clock()
        count = 0 if now - last >= PAUSE_S else count
        self._wrong.put(_key(address), (count + 1, now))

    def right(self, address: Address | None) -> None:
        """Forget the wrong ones before a right one."""
        self._wrong.discard(_key(address))


def _key(address: Address | None) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address)
