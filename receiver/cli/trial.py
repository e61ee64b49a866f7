"""Test callbacks: from our settings and the simulated platform to what is sent to a receiver."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import httpx2

from receiver.cli.simulation import account_of, callback_url, new_seed
from receiver.messages.catalogue import MESSAGES, PlatformMessage
from receiver.operations.trying import Answer, KnownMessage, TrialSource, UnreachableError
from receiver.settings import Settings, SourceSettings
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import OrderBook
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.signing import DIALECTS, signed
from receiver.simulator.single import Singles

_WITHIN_S: Final = 10.0
_NAMES: Final = TaobaoNames()
_OF_TAOBAO: Final = {
    "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY": _NAMES.price,
    "*STATUS*": _NAMES.status,
    "*REFUND*": _NAMES.refund,
}
"""The patterns of the catalogue, and what the simulated platform sends of them."""
_SEVERAL: Final = re.compile(r"(\w*)\[(\w+)\]")


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends to the receiver at `base_url`; see `receiver.operations.trying.CallbackSender`."""

    settings: Settings
    base_url: str
    singles: Singles

    @classmethod
    def of(
        cls, settings: Settings, base_url: str, platform: SimulatedPlatform | None = None
    ) -> Sender:
        """With the orders of a simulated platform, where one runs: its API then knows what test
        callbacks are about.
        """
        if platform is None:
            return cls(settings, base_url, Singles(OrderBook(new_seed())))
        return cls(settings, base_url, Singles(platform.book, platform.world.refunds))

    @property
    def sources(self) -> Sequence[TrialSource]:
        """Those that are marked `simulated` and whose callbacks can be played."""
        return [
            TrialSource(source.name, source.dialect, tuple(_messages(source.dialect)))
            for source in self._fit()
        ]

    async def send(self, source: TrialSource, message_type: str, order: int) -> Answer:
        """Signed with the source's first secret, to its secret URL where it has one."""
        chosen = next(one for one in self._fit() if one.name == source.name)
        account, now_ms = account_of(chosen), int(time.time() * 1000)
        body = self.singles.message(account.dialect, message_type, order, now_ms=now_ms)
        sent = signed(account, body, now_ms=now_ms)
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=_WITHIN_S) as http:
                answer = await http.post(
                    callback_url(self.base_url, chosen), content=sent.content, headers=sent.headers
                )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise UnreachableError(
                f"the receiver at {self.base_url} does not answer: {type(error).__name__}: "
                "is it running there?"
            ) from None  # whose text may hold the URL, which is secret
        return Answer.read(answer.status_code, answer.content)

    def _fit(self) -> Iterator[SourceSettings]:
        return (one for one in self.settings.sources if one.simulated and one.dialect in DIALECTS)


def sender_on(
    settings: Settings, own_url: str | None = None, platform: SimulatedPlatform | None = None
) -> Sender | None:
    """For the receiver of this process at `own_url`, else for the one that the settings have on
    this machine; None where it is reached from elsewhere alone.
    """
    receiver = settings.receiver
    if not _is_here(receiver.host, own=own_url is not None):
        return None
    scheme = "http" if receiver.tls_cert_file is None else "https"
    host = f"[{receiver.host}]" if ":" in receiver.host else receiver.host
    return Sender.of(settings, own_url or f"{scheme}://{host}:{receiver.port}", platform)


def _is_here(host: str, *, own: bool) -> bool:
    """Whether it is this machine's alone, or of this process and every interface's."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or (own and address.is_unspecified)


def _messages(dialect: str) -> Iterator[KnownMessage]:
    for row in MESSAGES:
        if dialect in row.dialects:
            for name in _names(row):
                yield KnownMessage(name, row.meaning, row.event_types)


def _names(row: PlatformMessage) -> Sequence[str]:
    if row.channel == "taobao" and row.name in _OF_TAOBAO:
        return [_OF_TAOBAO[row.name]]
    if (several := _SEVERAL.fullmatch(row.name)) is not None:
        return [several[1] + one for one in several[2]]
    return [row.name]
