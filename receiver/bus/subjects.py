"""NATS subjects and stream names of the wire contract (design, section 3). No I/O.

A key is any text; as a token of a subject it is percent-encoded, so that `.`, `*`, `>` and spaces
lose their meaning, and it round-trips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

NO_KEY: Final = "_"
ANY: Final = "*"


def encode_token(text: str | None) -> str:
    """Any text as one token of a subject; `_` stands for none."""
    if not text:
        return NO_KEY
    if text.isascii() and text.isalnum():  # as most are
        return text
    if text == NO_KEY:
        return "%5F"
    return quote(text, safe="", errors="surrogatepass").replace("~", "%7E").replace(".", "%2E")


def decode_token(token: str) -> str | None:
    """The text that `encode_token` was given; None for `_`."""
    return None if token == NO_KEY else unquote(token, errors="surrogatepass")


@dataclass(frozen=True, slots=True)
class Subjects:
    """Every subject and stream name below one root (`nats.subject_root`)."""

    root: str = "yizhan"

    @property
    def stream(self) -> str:
        """The stream of raw callbacks, quarantine, events and used nonces."""
        return self.root.upper()

    @property
    def dead_stream(self) -> str:
        """The stream of dead letters."""
        return f"{self.stream}_DEAD"

    @property
    def stored(self) -> tuple[str, ...]:
        """What the stream takes in."""
        kinds = ("callbacks", "quarantine", "events", "nonces")
        return tuple(f"{self.root}.{kind}.>" for kind in kinds)

    @property
    def said(self) -> str:
        """Where receivers tell each other what they stored; in no stream."""
        return f"{self.root}.said"

    @property
    def all_dead(self) -> str:
        """Every dead letter."""
        return f"{self.root}.dead.>"

    @property
    def all_events(self) -> str:
        """Every event."""
        return f"{self.root}.events.>"

    def raw(self, source: str) -> str:
        """Where the exact bytes of a source's callbacks go."""
        return f"{self.root}.callbacks.{source}"

    def quarantine(self, source: str) -> str:
        """Where a source's verified but unreadable callbacks go."""
        return f"{self.root}.quarantine.{source}"

    def nonce(self, source: str, used: str) -> str:
        """Where it is kept that a nonce is used, for as long as it could be replayed; `used` is a
        digest of it.
        """
        return f"{self.root}.nonces.{source}.{used}"

    def dead(self, handler: str) -> str:
        """Where a handler's dead letters go."""
        return f"{self.root}.dead.{handler}"

    def event(self, channel: str, event_type: str, key: str | None) -> str:
        """Where an event goes; `event_type` is `<domain>.<event>`, `key` the order id."""
        return f"{self.root}.events.{channel}.{event_type}.{encode_token(key)}"

    def events_of_type(self, event_type: str) -> str:
        """A filter for every event of a type."""
        return f"{self.root}.events.{ANY}.{event_type}.{ANY}"

    def events_of_order(self, order_id: str, event_type: str = f"{ANY}.{ANY}") -> str:
        """A filter for every event of an order, on either channel."""
        return f"{self.root}.events.{ANY}.{event_type}.{encode_token(order_id)}"
