"""What is said of a source that is quiet, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from receiver.observability.moments import Moment, MomentKey, Moments, read_moments
from receiver.operations.look.silence.explanation import explain
from receiver.operations.look.silence.facts import SourceFacts, Surroundings
from receiver.operations.look.silence.improbability import Silence

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
HOUR_S = 3600.0


def facts(
    known: dict[MomentKey, Moment] | None = None,
    *,
    last: timedelta | None = timedelta(hours=5),
    silence: Silence | None = None,
    around: Surroundings | None = None,
) -> SourceFacts:
    moments = Moments()
    moments.known = known or {}
    calm = Surroundings(receivers=2, certificate=NOW + timedelta(days=12))
    last_at = None if last is None else NOW - last
    return SourceFacts("shop", last_at, silence, moments, around or calm)


def moment(times: int, first_h: float, last_h: float, age_s: float = 0.0) -> Moment:
    """By how many hours ago it was."""
    now_s = NOW.timestamp()
    return Moment(times, now_s - first_h * HOUR_S, now_s - last_h * HOUR_S, age_s)


def test_a_quiet_source_is_explained_in_one_paragraph() -> None:
    assert explain(facts(silence=Silence(41.6, 6.2)), NOW) == (
        "The last callback of shop was stored 5 h ago, at 2026-03-05 07:00 UTC. At these hours of "
        "the week 42 usually come in that time; that none comes has a chance of 1 in 1,584,893. "
        "None of its deliveries was refused in the last week. Our certificate expires in 12 d."
    )


def test_refusals_are_explained_by_reason_clock_and_secret() -> None:
    refused = {
        ("refused", "shop", "stale_timestamp"): moment(40, 4, 0.1, age_s=11_000),
        ("refused", "shop", "bad_signature"): moment(2, 3, 1),
        ("refused", "shop", "bad_access_key"): moment(9, 400, 300),
        ("refused", "other", "bad_signature"): moment(5, 1, 0),
    }
    text = explain(facts(refused), NOW)
    assert (
        "42 of its deliveries were refused since 2026-03-05 08:00 UTC, the last at "
        "2026-03-05 11:54 UTC, and none was stored: stale_timestamp (40), bad_signature (2). The "
        "time that the last one was signed at is 3 h behind our clock. Often the clocks"
    ) in text
    meanwhile = explain(facts(refused, last=timedelta(hours=2)), NOW)
    assert "while others were stored" in meanwhile


def test_what_was_not_answered_and_what_came_again_is_said() -> None:
    known = {
        ("failed", "shop", ""): moment(7, 3, 2),
        ("late", "shop", ""): moment(3, 3, 1),
        ("retried", "shop", ""): moment(6, 2.5, 0.5),
        ("last_try", "shop", ""): moment(1, 0.5, 0.5),
    }
    text = explain(facts(known), NOW)
    assert "7 were answered without 200 since 2026-03-05 09:00 UTC, the last at" in text
    assert "3 were answered later than 800 ms since" in text
    assert "6 came again, 1 of them for the last time or the last but one, the last at" in text


def test_one_that_never_sent_is_looked_for_at_other_urls() -> None:
    expired = Surroundings(receivers=0, certificate=NOW - timedelta(hours=30))
    known = {("refused", "", "unknown_source"): moment(8, 3, 1)}
    text = explain(facts(known, last=None, around=expired), NOW)
    assert text == (
        "Of shop nothing was ever stored. None of its deliveries was refused in the last week. 8 "
        "requests came to URLs of no source, the last at 2026-03-05 11:00 UTC: compare the URL at "
        "the platform with /callbacks/<source>. No receiver reports that it runs. Our certificate "
        "expired 1 d ago: the platform cannot connect."
    )
    unread = explain(facts(last=None, around=Surroundings()), NOW)
    assert "What receivers report cannot be read." in unread
    assert "None of its deliveries" not in unread


def test_a_source_is_refused_where_several_are_and_none_is_stored_since() -> None:
    def refuses(last: timedelta | None, *moments: Moment) -> bool:
        known = {("refused", "shop", str(number)): one for number, one in enumerate(moments)}
        return facts(known, last=last).refuses(NOW)

    five = timedelta(hours=5)
    assert refuses(five, moment(2, 1, 0.5), moment(1, 0.4, 0.4))
    assert refuses(None, moment(3, 9, 0.5))
    assert not refuses(five, moment(2, 1, 0.5))
    assert not refuses(five, moment(50, 6, 0.5))
    assert not refuses(five, moment(50, 4, 1.5))


def test_moments_of_processes_add_up_within_a_streak() -> None:
    key = ("refused", "shop", "bad_signature")
    one, other, old = Moments(), Moments(), Moments()
    one.known = {key: moment(2, 5, 3, age_s=1)}
    other.known = {key: moment(3, 4, 1, age_s=2)}
    old.known = {key: moment(9, 90, 80)}
    total = Moments()
    for each in (old, other, one):
        total.add(each)
    assert total.known == {key: moment(5, 5, 1, age_s=2)}
    assert read_moments({"moments": [*total.document(), [["bad"], []]]}).known == total.known
    assert read_moments({}).known == {}
