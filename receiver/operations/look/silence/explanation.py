"""One paragraph of what is known of a source that is quiet, or refused. Performs no I/O.

Made of names of sources, numbers, times and our own reasons; never of what anyone sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from receiver.observability.moments import FAILED, LAST_TRY, LATE, REFUSED, RETRIED, Moment
from receiver.operations.look.silence.facts import SourceFacts
from receiver.operations.look.verdict import in_words

_KNOWN_S: Final = 7 * 24 * 3600.0
"""What is older explains nothing."""
_MAX_POWER: Final = 12
_ADVICE: Final = {
    "bad_signature": "the sender signs with another secret than the settings have, or is another",
    "bad_access_key": "the settings have another access_key than the sender",
    "missing_signature": "the sender does not sign, or something on the way drops its headers",
    "missing_path_token": "the URL at the platform does not end in the path_token",
    "bad_path_token": "the URL at the platform has another path_token",
    "network_not_allowed": "allow_networks does not hold the sender's address",
    "stale_timestamp": "the clocks of the sender and of this machine differ",
    "stale_message": "the messages are older than may be taken",
}
"""What a reason often means (docs/verification.md has all)."""


def explain(facts: SourceFacts, now: datetime) -> str:
    """The paragraph: when it sent last, how improbable the silence is, refusals since when and why,
    answers that were late or no 200, retries, our certificate.
    """
    return " ".join(
        [
            *_last(facts, now),
            *_refusals(facts, now),
            *_answers(facts, now),
            *_surroundings(facts, now),
        ]
    )


def _last(facts: SourceFacts, now: datetime) -> Iterator[str]:
    if facts.last_at is None:
        yield f"Of {facts.name} nothing was ever stored."
        return
    silent_s = max(0.0, (now - facts.last_at).total_seconds())
    yield (
        f"The last callback of {facts.name} was stored {in_words(silent_s)} ago, at "
        f"{_time(facts.last_at.timestamp())}."
    )
    if facts.silence is None:
        yield "There is not enough history to say how improbable that is."
        return
    yield (
        f"At these hours of the week {facts.silence.expected:.0f} usually come in that time; that "
        f"none comes has a chance of {_chance(facts.silence.improbability)}."
    )


def _refusals(facts: SourceFacts, now: datetime) -> Iterator[str]:
    refused = _recent(facts.moments.of(facts.name, REFUSED), now)
    if refused:
        count = sum(one.times for one in refused.values())
        first_s = min(one.first_s for one in refused.values())
        last_s = max(one.last_s for one in refused.values())
        stored = facts.last_at is not None and facts.last_at.timestamp() > first_s
        reasons = sorted(refused.items(), key=lambda item: -item[1].times)
        why = ", ".join(f"{reason} ({one.times:,})" for reason, one in reasons)
        yield (
            f"{count:,} of its deliveries were refused since {_time(first_s)}, the last at "
            f"{_time(last_s)}, {'while others were stored' if stored else 'and none was stored'}: "
            f"{why}."
        )
        yield from _advice(*reasons[0])
    elif facts.around.receivers is not None:
        yield "None of its deliveries was refused in the last week."
    astray = _recent(facts.moments.of("", REFUSED), now)
    if astray and not refused:
        count = sum(one.times for one in astray.values())
        last_s = max(one.last_s for one in astray.values())
        yield (
            f"{count:,} requests came to URLs of no source, the last at {_time(last_s)}: compare "
            "the URL at the platform with /callbacks/<source>."
        )


def _advice(reason: str, moment: Moment) -> Iterator[str]:
    if moment.age_s:
        side = "behind" if moment.age_s > 0 else "ahead of"
        yield (
            f"The time that the last one was signed at is {in_words(abs(moment.age_s))} {side} our "
            "clock."
        )
    if reason in _ADVICE:
        yield f"Often {_ADVICE[reason]}."


def _answers(facts: SourceFacts, now: datetime) -> Iterator[str]:
    """What the platform may send again, and what it did."""
    words = ((FAILED, "were answered without 200"), (LATE, "were answered later than 800 ms"))
    for what, text in words:
        if one := _only(facts, what, now):
            since, last = _time(one.first_s), _time(one.last_s)
            yield f"{one.times:,} {text} since {since}, the last at {last}."
    if again := _only(facts, RETRIED, now):
        final = _only(facts, LAST_TRY, now)
        most = f", {final.times:,} of them for the last time or the last but one" if final else ""
        yield f"{again.times:,} came again{most}, the last at {_time(again.last_s)}."


def _surroundings(facts: SourceFacts, now: datetime) -> Iterator[str]:
    receivers, certificate = facts.around.receivers, facts.around.certificate
    if receivers is None:
        yield "What receivers report cannot be read."
    elif receivers == 0:
        yield "No receiver reports that it runs."
    if certificate is None:
        yield "The certificate that the platform sees is not one of the settings here."
        return
    left_s = (certificate - now).total_seconds()
    if left_s < 0:
        yield f"Our certificate expired {in_words(-left_s)} ago: the platform cannot connect."
    else:
        yield f"Our certificate expires in {in_words(left_s)}."


def _recent(found: dict[str, Moment], now: datetime) -> dict[str, Moment]:
    after_s = now.timestamp() - _KNOWN_S
    return {reason: one for reason, one in found.items() if one.last_s >= after_s}


def _only(facts: SourceFacts, what: str, now: datetime) -> Moment | None:
    return _recent(facts.moments.of(facts.name, what), now).get("")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _chance(improbability: float) -> str:
    if improbability > _MAX_POWER:
        return f"less than 1 in 10^{_MAX_POWER}"
    if improbability < 1:
        return f"{10**-improbability:.0%}"
    return f"1 in {10**improbability:,.0f}"
