"""NATS subjects and stream names of the wire contract (docs/events.md). No I/O.

A key is any text; as a token of a subject it is percent-encoded, so that `.`, `*`, `>` and spaces
lose their meaning, and it round-trips.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Final
from urllib.parse import quote, unquote

NO_KEY: Final = "_"
ANY: Final = "*"
_FORMER_KINDS: Final = frozenset({"callbacks", "quarantine", "events", "nonces"})
_INPUT_KINDS: Final = _FORMER_KINDS | {"due", "schedules"}


def input_subject(stored: str) -> str:
    """What a message is published to in order to be stored as `stored`, a subject below a root.

    The main stream takes `<root>.in.>` and stores it as `<root>.>`: so subscribers to a stored
    subject see what the stream republishes after the commit, never what it may yet refuse. Dead
    letters go straight into their own stream.
    """
    root, _, rest = stored.partition(".")
    kind, dot, key = rest.partition(".")
    return f"{root}.in.{kind}{dot}{key}" if kind in _INPUT_KINDS else stored


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


def overlap(one: str, other: str) -> bool:
    """Whether some subject matches both of two subjects that may hold wildcards."""
    for left, right in zip_longest(one.split("."), other.split(".")):
        if left is None or right is None:
            return False  # `>` stands for at least one token
        if ">" in {left, right}:
            return True
        if left != right and ANY not in {left, right}:
            return False
    return True


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
    def runs_stream(self) -> str:
        """The stream of run records."""
        return f"{self.stream}_RUNS"

    @property
    def audit_stream(self) -> str:
        """The stream of what operators did."""
        return f"{self.stream}_AUDIT"

    @property
    def state_bucket(self) -> str:
        """The KV bucket of what handlers keep between runs."""
        return f"{self.stream}_STATE"

    @property
    def state_stream(self) -> str:
        """The stream behind that bucket."""
        return f"KV_{self.state_bucket}"

    @property
    def all_state(self) -> str:
        """Every entry of that bucket."""
        return self.state(">")

    def state(self, key: str) -> str:
        """Where one entry of that bucket is; see `receiver.bus.state.keys`."""
        return f"$KV.{self.state_bucket}.{key}"

    @property
    def all_input(self) -> str:
        """What the stream takes in, and stores as `everything`; see `input_subject`."""
        return f"{self.root}.in.>"

    @property
    def everything(self) -> str:
        """Whatever is below the root."""
        return f"{self.root}.>"

    @property
    def formerly_taken(self) -> tuple[str, ...]:
        """What the stream took in before there were input subjects (version 0.1)."""
        return tuple(f"{self.root}.{kind}.>" for kind in sorted(_FORMER_KINDS))

    @property
    def broadcast(self) -> str:
        """Where receivers broadcast what they stored; in no stream."""
        return f"{self.root}.said"

    @property
    def workers_stream(self) -> str:
        """The stream, in memory, of what worker processes leave for one another."""
        return f"{self.stream}_WORKERS"

    @property
    def all_workers(self) -> str:
        """What worker processes say to one another; what is kept of it is in `workers_stream`."""
        return f"{self.root}.workers.>"

    def workers(self, *tokens: str) -> str:
        """One subject of `all_workers`."""
        return ".".join((self.root, "workers", *tokens))

    @property
    def metrics_stream(self) -> str:
        """The stream of what processes counted."""
        return f"{self.stream}_METRICS"

    @property
    def all_metrics(self) -> str:
        """The last report of every process, and the total of those that are gone."""
        return f"{self.root}.metrics.>"

    @property
    def metrics_total(self) -> str:
        """What all processes counted together whose own reports are gone."""
        return f"{self.root}.metrics.total"

    @property
    def metrics_alerts(self) -> str:
        """The alerts that hold, and the process that posts them."""
        return f"{self.root}.metrics.alerts"

    def metrics_of(self, life: str) -> str:
        """The last report of one process; `life` names it from its start to its end."""
        return f"{self.root}.metrics.life.{life}"

    def metrics_history(self, source: str) -> str:
        """How many callbacks of a source came in each hour of the last weeks."""
        return f"{self.root}.metrics.hours.{source}"

    def all_due(self, handler: str) -> str:
        """What a handler put off by a schedule, once it is due."""
        return f"{self.root}.due.{handler}.>"

    def due(self, handler: str, channel: str, key_token: str) -> str:
        """Where an event that a handler put off goes once it is due; the key is encoded already."""
        return f"{self.root}.due.{handler}.{channel}.{key_token}"

    def schedule(self, kind: str, handler: str, channel: str, key_token: str, name: str) -> str:
        """Where a schedule waits; a later one on the same subject replaces it. The key and the name
        are encoded already, the name may be empty. What cancels one is of the kind `cancel`.
        """
        tokens = (self.root, "schedules", kind, handler, channel, key_token, name)
        return ".".join(filter(None, tokens))

    @property
    def rate_stream(self) -> str:
        """The stream, in memory, of how far each account has used its rate of calls."""
        return f"{self.stream}_RATE"

    @property
    def all_rates(self) -> str:
        """What processes of one account keep of its rate."""
        return f"{self.root}.rate.>"

    def rate(self, account: str) -> str:
        """The same of one account; `account` is a digest of it."""
        return f"{self.root}.rate.{account}"

    @property
    def all_dead(self) -> str:
        """Every dead letter."""
        return f"{self.root}.dead.>"

    @property
    def all_runs(self) -> str:
        """Every run record."""
        return f"{self.root}.runs.>"

    @property
    def all_audit(self) -> str:
        """Every act of an operator."""
        return f"{self.root}.audit.>"

    @property
    def all_events(self) -> str:
        """Every event."""
        return f"{self.root}.events.>"

    @property
    def all_replayed(self) -> str:
        """Where replays to subjects may go; in no stream."""
        return f"{self.root}.replay.>"

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

    def dead(self, handler: str, fingerprint: str) -> str:
        """Where a handler's dead letters of one cause go. Those of version 0.1 lie on the subject
        without the fingerprint.
        """
        return f"{self.root}.dead.{handler}.{fingerprint}"

    def audit(self, verb: str) -> str:
        """Where it is recorded that an operator did one kind of thing."""
        return f"{self.root}.audit.{verb}"

    def run(self, handler: str, event_subject: str) -> str:
        """Where the records of a handler's runs on the message of a subject go."""
        match event_subject.split("."):
            case [_, "events", channel, _, _, key] | [_, "due", _, channel, key]:
                return f"{self.root}.runs.{handler}.{channel}.{key}"
            case _:
                return f"{self.root}.runs.{handler}.{NO_KEY}.{NO_KEY}"

    def event(self, channel: str, event_type: str, key: str | None) -> str:
        """Where an event goes; `event_type` is `<domain>.<event>`, `key` the order id."""
        return f"{self.root}.events.{channel}.{event_type}.{encode_token(key)}"

    def events_of_type(self, event_type: str) -> str:
        """A filter for every event of a type."""
        return f"{self.root}.events.{ANY}.{event_type}.{ANY}"

    def events_of_order(
        self, order_id: str, event_type: str = f"{ANY}.{ANY}", channel: str = ANY
    ) -> str:
        """A filter for every event of an order, on either channel or on one."""
        return f"{self.root}.events.{channel}.{event_type}.{encode_token(order_id)}"
