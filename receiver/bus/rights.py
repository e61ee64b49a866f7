"""What our user has to be allowed on NATS, and a probe for it that changes nothing.

To what is not allowed nothing answers: the server says `Permissions Violation` beside it, before it
answers a later PING. So every right is tried, one message each, and then a PING is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeVar

from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from receiver.bus.client import PipeliningClient
from receiver.bus.consumers import ConsumerPlan
from receiver.bus.jetstream_api import NoJetStreamError
from receiver.bus.refusals import Refusals
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.resilience.cancellation import cancel

AnswerT = TypeVar("AnswerT")

_PROBE: Final = "yizhan-check"
"""As a name nothing has it; as a body it is neither JSON nor an acknowledgement: the server refuses
it, once it has let it pass."""
_ANSWER_S: Final = 5.0
_UNSTORED: Final = {"Nats-Expected-Stream": _PROBE}


class Right(NamedTuple):
    """To publish to `subject`, or to subscribe to it; `allow` is the subject of the permission.

    Without what is not `needed` a start goes on: `purpose` says what is missing then.
    """

    subject: str
    allow: str
    purpose: str
    verb: Literal["publish", "subscribe"] = "publish"
    needed: bool = True

    @property
    def sentence(self) -> str:
        """That it is missing, and what to do."""
        what = "subscription" if self.verb == "subscribe" else self.verb
        return (
            f'NATS refuses: permissions violation for {what} to "{self.subject}" ({self.purpose}): '
            f'allow our user to {self.verb} to "{self.allow}" (docs/subscribing.md)'
        )

    @property
    def changes_stream(self) -> bool:
        """Whether it is needed only where a stream has to be made or changed."""
        return self.subject.startswith(("$JS.API.STREAM.CREATE.", "$JS.API.STREAM.UPDATE."))


def stream_rights(subjects: Subjects) -> Iterator[Right]:
    """What every process needs; to make or change a stream, only where that has to be done."""
    yield Right(f"_INBOX.{_PROBE}", "_INBOX.>", "every answer comes there", verb="subscribe")
    for stream in (subjects.stream, subjects.dead_stream):
        info, made = f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.STREAM.CREATE.{stream}"
        yield Right(info, info, "to look at the stream")
        yield Right(made, made, "to make the stream again if it is deleted", needed=False)
        changed = f"$JS.API.STREAM.UPDATE.{stream}"
        yield Right(changed, changed, "to bring the stream up to date", needed=False)
    for kind in ("callbacks", "events", "quarantine", "nonces"):
        taken = f"{subjects.root}.in.{kind}.{_PROBE}"
        yield Right(taken, subjects.all_input, "to store callbacks and events")
    yield Right(subjects.dead(_PROBE, _PROBE), subjects.all_dead, "to store dead letters")
    got = f"$JS.API.STREAM.MSG.GET.{subjects.stream}"
    yield Right(got, got, "to look at what is stored on a subject")


def reader_rights(subjects: Subjects) -> Iterator[Right]:
    """What a receiver needs beside that, to read its stream and to talk to other receivers."""
    api, stream = "$JS.API.CONSUMER", subjects.stream
    reading = "to look up what is stored already"
    yield Right(f"{api}.CREATE.{stream}", f"{api}.CREATE.{stream}", reading)
    for verb in ("INFO", "MSG.NEXT"):
        yield Right(f"{api}.{verb}.{stream}.{_PROBE}", f"{api}.{verb}.{stream}.>", reading)
    deleted = f"{api}.DELETE.{stream}"
    purpose = "to remove our readers at once, not after a minute"
    yield Right(f"{deleted}.{_PROBE}", f"{deleted}.>", purpose, needed=False)
    purpose = "receivers broadcast what they stored"
    yield Right(subjects.broadcast, subjects.broadcast, purpose, needed=False)
    yield Right(subjects.broadcast, subjects.broadcast, purpose, verb="subscribe", needed=False)


def handler_rights(subjects: Subjects, plans: Iterable[ConsumerPlan]) -> Iterator[Right]:
    """What the handlers of these consumers need beside `stream_rights`."""
    among, said = "workers agree who runs a handler", f"{subjects.root}.workers.{_PROBE}"
    yield Right(said, subjects.all_workers, among)
    yield Right(said, subjects.all_workers, among, verb="subscribe")
    for verb in ("INFO", "CREATE", "MSG.GET"):
        subject = f"$JS.API.STREAM.{verb}.{subjects.workers_stream}"
        yield Right(subject, subject, among)
    for plan in plans:
        name = f"{plan.stream}.{plan.durable}"
        for verb in ("INFO", "CREATE", "MSG.NEXT"):
            api = f"$JS.API.CONSUMER.{verb}"
            purpose = f"of the consumer {plan.durable}"
            yield Right(f"{api}.{name}", f"{api}.{plan.stream}.>", purpose)
        for verb in ("UNPIN", "RESET", "PAUSE"):  # of none: the server resumes one for any body
            api = f"$JS.API.CONSUMER.{verb}.{plan.stream}"
            yield Right(f"{api}.{_PROBE}", f"{api}.>", "to take over a handler, or begin a new one")
        purpose = f"to acknowledge what {plan.durable} has handled"
        yield Right(f"$JS.ACK.{name}.1.0.0.0.0", f"$JS.ACK.{plan.stream}.>", purpose)


def caller_rights(subjects: Subjects) -> Iterator[Right]:
    """What processes need to share the rate of one account's calls."""
    sharing = "processes share the rate of their account"
    yield Right(subjects.rate(_PROBE), subjects.all_rates, sharing)
    for verb in ("CREATE", "INFO", "MSG.GET"):
        subject = f"$JS.API.STREAM.{verb}.{subjects.rate_stream}"
        yield Right(subject, subject, sharing)


def archive_rights(subjects: Subjects) -> Iterator[Right]:
    """What the commands need that look at what is stored."""
    looked_at = (subjects.stream, subjects.dead_stream, subjects.runs_stream, subjects.state_stream)
    for stream in looked_at:
        got = f"$JS.API.DIRECT.GET.{stream}"
        yield Right(got, got, "to look at what is stored", needed=False)
    listed = f"$JS.API.CONSUMER.LIST.{subjects.stream}"
    yield Right(listed, listed, "to see how far handlers are", needed=False)


def purge_rights(subjects: Subjects) -> Iterator[Right]:
    """What is needed to delete what is stored."""
    kept = (subjects.stream, subjects.dead_stream, subjects.runs_stream, subjects.state_stream)
    for stream in kept:
        deleted = f"$JS.API.STREAM.MSG.DELETE.{stream}"
        yield Right(deleted, deleted, "to delete what is stored", needed=False)


def looking_rights() -> Iterator[Right]:
    """What `yizhan check` alone uses."""
    for verb in ("INFO", "STREAM.NAMES"):
        subject = f"$JS.API.{verb}"
        yield Right(subject, subject, "to see limits and other streams", needed=False)


def may_see_stream(missing: Iterable[Right], stream: str) -> bool:
    """Whether a stream can be asked for: where it cannot, no answer comes."""
    return not _lacks(missing, f"$JS.API.STREAM.INFO.{stream}")


def may_see_consumer(missing: Iterable[Right], plan: ConsumerPlan) -> bool:
    """The same of a consumer; those of one stream have one permission."""
    return not _lacks(missing, f"$JS.API.CONSUMER.INFO.{plan.stream}.>")


def _lacks(missing: Iterable[Right], allow: str) -> bool:
    return any(right.allow in {allow, "_INBOX.>"} for right in missing)


async def missing_rights(
    client: PipeliningClient, refusals: Refusals, rights: Iterable[Right]
) -> Sequence[Right]:
    """Those of `rights` that the server does not grant, one of each `allow`; raises `BusError`."""
    tried = tuple(rights)
    try:
        with refusals.gathered() as texts:
            subscribed = [await _try(client, right) for right in tried]
            await client.round_trip(timeout_s=_ANSWER_S)
            for subscription in filter(None, subscribed):
                await subscription.unsubscribe()
    except (NatsError, OSError) as error:
        raise BusError(f"the server does not answer: {type(error).__name__}") from error
    refused = [right for right in tried if any(_concerns(words, right) for words in texts)]
    return list({(right.verb, right.allow): right for right in reversed(refused)}.values())[::-1]


def check_rights(missing: Iterable[Right]) -> None:
    """Raise `ConfigurationError`, a line for each right that is needed and missing."""
    if lines := [right.sentence for right in missing if right.needed]:
        raise ConfigurationError("\n".join(lines))


async def allowed(
    client: PipeliningClient,
    asked: Coroutine[Any, Any, AnswerT],
    refusals: Refusals,
    rights: Iterable[Right],
) -> AnswerT:
    """What JetStream answers to `asked`; raises `ConfigurationError` where we are not allowed to
    ask, which the server says beside it, and where there is no JetStream.
    """
    async with refusals.denials() as denial:
        work = asyncio.create_task(asked)
        either: set[asyncio.Future[Any]] = {work, denial}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if denial.done():
                raise denied(denial.result(), rights)
            return await work
        except NoJetStreamError as error:
            if client.has_jetstream or client.is_clustered:
                raise
            raise ConfigurationError(
                "the server runs without JetStream: add a jetstream block to its "
                "configuration, or set nats.url to a server that has one"
            ) from error
        finally:
            await cancel(work)


def denied(words: str, rights: Iterable[Right]) -> ConfigurationError:
    """The error for what the server did not let us ask, by the right that it belongs to."""
    for right in rights:
        if _concerns(words, right):
            return ConfigurationError(right.sentence)
    return ConfigurationError(
        f"NATS refuses: {words}: give our user the permissions that docs/subscribing.md lists"
    )


async def _try(client: Client, right: Right) -> Subscription | None:
    if right.verb == "subscribe":
        return await client.subscribe(right.subject)
    stored = not right.subject.startswith("$JS.")
    await client.publish(right.subject, _PROBE.encode(), headers=_UNSTORED if stored else None)
    return None


def _concerns(words: str, right: Right) -> bool:
    """nats-py gives the server's words in lower case."""
    what = "subscription" if right.verb == "subscribe" else "publish"
    return f'{what} to "{right.subject.lower()}"' in words.lower()
