"""What to change in the settings or at a proxy, logged once a source: senders cannot be asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from receiver.observability.logs import get_logger
from receiver.settings import SourceSettings
from receiver.settings.networks import Network, read_address
from receiver.web.client_address import within
from receiver.web.delivery import Delivery

_UNSIGNED: Final = (
    "a push without a signature was refused: if the sender signs nothing, set verification = "
    '"path_token" and give it the URL with the token; if it is the Verify of a console, set that '
    "until it has passed, since only GET, HEAD, an empty body and {} pass without a signature"
)
_UNTRUSTED: Final = (
    "the delivery came with X-Forwarded-For from a peer that is not in receiver.trusted_proxies: "
    "the peer's own address was compared; if the peer is your proxy, list it there"
)
_FORWARDED: Final = (
    "a trusted proxy sent Forwarded and no X-Forwarded-For: the proxy's own address was compared; "
    "let it write X-Forwarded-For"
)
_UNREADABLE: Final = (
    "a trusted proxy sent an X-Forwarded-For whose entry is no address: the client is not known; "
    "let it append the address of its peer"
)


class Advice:
    """Logs each piece of advice once for each source; nothing of a delivery is in it."""

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        self._trusted_proxies = trusted_proxies
        self._given: set[tuple[str, str]] = set()
        self._log = get_logger("yizhan.receiver")

    def unsigned(self, source: SourceSettings) -> None:
        """A push without credentials was refused."""
        self._give("unsigned_push", _UNSIGNED, source)

    def network(self, delivery: Delivery, source: SourceSettings) -> None:
        """A delivery was refused for the address of its client, or because that is not known."""
        names = {name for name, _ in delivery.headers}
        peer = read_address(delivery.peer or "")
        trusted = peer is not None and within(peer, self._trusted_proxies)
        if b"x-forwarded-for" in names:
            if not trusted:
                self._give("proxy_not_trusted", _UNTRUSTED, source)
        elif trusted and b"forwarded" in names:
            self._give("forwarded_not_read", _FORWARDED, source)

    def client_not_known(self, source: SourceSettings) -> None:
        """A trusted proxy named something that is no address."""
        self._give("client_not_known", _UNREADABLE, source)

    def _give(self, event: str, advice: str, source: SourceSettings) -> None:
        if (event, source.name) not in self._given:
            self._given.add((event, source.name))
            self._log.warning(event, source=source.name, advice=advice)
