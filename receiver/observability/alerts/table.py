"""Every alert, as data: rules for Prometheus and our own alerting are made from this table.

What cannot be known while NATS is away is missing on the page of metrics, so that one fault raises
one alert; where one fault shows as two, the weaker condition excludes the other.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from receiver.observability.alerts.alert import Alert
from receiver.observability.alerts.conditions import (
    Absent,
    AtLeast,
    Below,
    Both,
    Condition,
    Due,
    Either,
    Risen,
    Share,
    Unless,
)
from receiver.observability.alerts.history import Series

_MINUTE: Final = timedelta(minutes=1)
_QUARTER: Final = timedelta(minutes=15)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_ROOM_S: Final = 2 * 86_400.0
_OLD_S: Final = 600.0
"""An event that waits so long is late, whatever its handler does with it."""

_of_source: Final = partial(Series, by=("source",))
_of_handler: Final = partial(Series, by=("handler",))

_PAUSED: Final = AtLeast(_of_handler("yizhan_handler_paused"), 1)
_OWNED: Final = AtLeast(_of_handler("yizhan_handler_owned"), 1)
_OLD: Final = Unless(
    Both(AtLeast(_of_handler("yizhan_handler_oldest_unprocessed_seconds"), _OLD_S), _OWNED),
    _PAUSED,
)
_RUNS_END: Final = Risen(_of_handler("yizhan_handler_runs"), timedelta(minutes=10), 1)
_API_DOWN: Final = AtLeast(Series("yizhan_api_breaker_open"), 1)
_FAILED_RUNS: Final = _of_handler(
    "yizhan_handler_runs", where={"outcome": ("retried", "dead_lettered")}
)
_ENDED_RUNS: Final = _of_handler(
    "yizhan_handler_runs", where={"outcome": ("done", "retried", "dead_lettered")}
)
_UNAUTHORIZED: Final = _of_source("yizhan_callbacks", where={"outcome": ("unauthorized",)})
_JUDGED: Final = _of_source(
    "yizhan_callbacks",
    where={
        "outcome": (
            "stored",
            "retransmission",
            "duplicate",
            "quarantined",
            "spooled",
            "unauthorized",
        )
    },
)
_DISK_FULL: Final = Below(Series("yizhan_disk_full_seconds"), _ROOM_S)


_NO_RECEIVER: Final = Below(Series("yizhan_processes", where={"kind": ("receiver",)}), 1)
_FIRST_TRIES: Final = Series("yizhan_first_try")
_BAD_TRIES: Final = Series("yizhan_first_try", where={"outcome": ("late", "failed")})
_BUDGET: Final = 0.001
"""What may be bad: 99.9 % of callbacks are answered 200 at the first try, within 800 ms."""
_BUSY: Final = 1000
"""With fewer callbacks an hour a rate says nothing, and each callback counts."""


def _burns(times: float, long: timedelta, short: timedelta) -> Condition:
    """The budget is used so many times too fast, and still is (Google's SRE workbook)."""
    least = times * _BUDGET
    return Both(
        Both(
            Share(_BAD_TRIES, _FIRST_TRIES, long, least),
            Share(_BAD_TRIES, _FIRST_TRIES, short, least),
        ),
        Risen(_FIRST_TRIES, _HOUR, _BUSY),
    )


def _many(share: Condition, risen: Series, window: timedelta, least: float) -> Condition:
    """A share that is not of one or two."""
    return Both(share, Risen(risen, window, least))


_BURNS_FAST: Final = Either(_burns(14.4, _HOUR, 5 * _MINUTE), _burns(6, 6 * _HOUR, 30 * _MINUTE))
_REFUSED: Final = _many(Share(_UNAUTHORIZED, _JUDGED, _HOUR, 0.2), _UNAUTHORIZED, _HOUR, 3)

_TARGET: Final = (
    Alert(
        "YizhanMetricsAbsent",
        "critical",
        Absent(Series("yizhan_build_info")),
        "No metrics of Yizhan: nothing else here can raise an alert.",
        "Start `yizhan metrics`, or repair what keeps Prometheus from it.",
        5 * _MINUTE,
    ),
    Alert(
        "YizhanNatsAway",
        "critical",
        Below(Series("yizhan_collected", how="min"), 1),
        "NATS does not answer, or not for all that is asked of it.",
        "Look at the NATS servers; callbacks are spooled meanwhile, and answered 200.",
        _MINUTE,
    ),
    Alert(
        "YizhanNoReceiver",
        "critical",
        _NO_RECEIVER,
        "No receiver runs: the platform's callbacks are not answered.",
        "Start a receiver; the platform sends again half an hour later, five times at most.",
        2 * _MINUTE,
    ),
)
_CALLBACKS: Final = (
    Alert(
        "YizhanSecretRefused",
        "critical",
        _REFUSED,
        "Callbacks of {source} are refused with 401: a secret, the address or a clock is wrong.",
        "Compare the secret with the platform's; add the new one beside the old and reload.",
    ),
    Alert(
        "YizhanRetriesProvoked",
        "critical",
        Unless(
            Risen(_of_source("yizhan_retransmissions", where={"cause": ("provoked",)}), _HOUR, 3),
            Risen(_of_source("yizhan_first_try"), _HOUR, _BUSY),
        ),
        "The platform sent callbacks of {source} again, since our answers were late or no 200.",
        "See which answers were late or refused, and what the receiver waited for.",
    ),
    Alert(
        "YizhanLastTry",
        "critical",
        Risen(_of_source("yizhan_last_tries"), _HOUR, 1),
        "A callback of {source} came at the platform's last try or the one before it.",
        "See how it was answered; what is not stored then has to be read from the platform's API.",
    ),
    Alert(
        "YizhanTooManyRetries",
        "critical",
        _BURNS_FAST,
        "So many first tries are late or refused that a month's budget is gone in days.",
        "See which answers are late or refused, and what the receiver waits for.",
    ),
    Alert(
        "YizhanManyRetries",
        "warning",
        Unless(_burns(1, 3 * _DAY, 6 * _HOUR), _BURNS_FAST),
        "For days more than one in 1,000 first tries is answered late, or not by 200.",
        "See which answers are late or refused, and what the receiver waits for.",
    ),
    Alert(
        "YizhanSourceSilent",
        "critical",
        Unless(
            Unless(AtLeast(_of_source("yizhan_source_silence_improbability"), 4), _REFUSED),
            _NO_RECEIVER,
        ),
        "Nothing comes from {source}, for longer than is probable at this hour of the week.",
        "See what `yizhan status` knows of the silence; ask the platform whether it sends.",
        5 * _MINUTE,
    ),
    Alert(
        "YizhanCertificateExpires",
        "warning",
        Due(Series("yizhan_certificate_expiry_timestamp_seconds", how="min"), 7 * _DAY),
        "The certificate expires within a week; the platform sends nothing to an expired one.",
        "Renew it, put it where the settings name it, and reload.",
    ),
    Alert(
        "YizhanCallbacksUnreadable",
        "warning",
        Risen(_of_source("yizhan_callbacks", where={"outcome": ("quarantined",)}), _HOUR, 1),
        "Callbacks of {source} could not be read, and wait in quarantine.",
        "Look at one of them; update Yizhan or the dialect, then retry the quarantine.",
    ),
    Alert(
        "YizhanSpoolStuck",
        "critical",
        AtLeast(Series("yizhan_spool_oldest_age_seconds"), _OLD_S),
        "Callbacks wait in the spool although NATS answers.",
        "See what the receiver's log says of the spool; NATS refuses to store, as a full stream.",
        5 * _MINUTE,
    ),
    Alert(
        "YizhanSpoolUnreadable",
        "critical",
        AtLeast(Series("yizhan_spool_unreadable"), 1),
        "A receiver cannot use its spool: without NATS it would refuse callbacks.",
        "Look at the disk and the owner of the spool's file.",
        2 * _MINUTE,
    ),
)
_HANDLERS: Final = (
    Alert(
        "YizhanHandlerNotOwned",
        "critical",
        Unless(
            Unless(
                AtLeast(_of_handler("yizhan_handler_oldest_unprocessed_seconds"), 120.0), _OWNED
            ),
            _PAUSED,
        ),
        "No process runs the handler {handler}, and events wait for it.",
        "Start a worker that loads it; where it is gone for good, remove its position.",
        3 * _MINUTE,
    ),
    Alert(
        "YizhanHandlerWedged",
        "critical",
        Unless(_OLD, _RUNS_END),
        "The handler {handler} has events to do, and no run of it ends.",
        "See what its runs wait for, then restart the process; its events are run again.",
        2 * _MINUTE,
    ),
    Alert(
        "YizhanHandlerBehind",
        "warning",
        Both(_OLD, _RUNS_END),
        "The handler {handler} works, and is more than ten minutes behind.",
        "Raise its concurrency or its processes, or make it faster.",
        10 * _MINUTE,
    ),
    Alert(
        "YizhanHandlerFailing",
        "warning",
        Unless(
            _many(Share(_FAILED_RUNS, _ENDED_RUNS, _QUARTER, 0.5), _FAILED_RUNS, _QUARTER, 5),
            _API_DOWN,
        ),
        "Half of the runs of the handler {handler} fail.",
        "Look at its error; its events are retried, and become dead letters after the last try.",
    ),
    Alert(
        "YizhanDeadLetters",
        "warning",
        Risen(_of_handler("yizhan_handler_runs", where={"outcome": ("dead_lettered",)}), _HOUR, 1),
        "The handler {handler} has given up on events.",
        "Look at the letters by cause; repair the handler, then retry them.",
    ),
    Alert(
        "YizhanEffectInDoubt",
        "warning",
        AtLeast(_of_handler("yizhan_effects", where={"state": ("in_doubt",)}), 1),
        "It is not known whether an effect of the handler {handler} happened.",
        "See at the platform whether it happened, and say so.",
        5 * _MINUTE,
    ),
)
_API: Final = (
    Alert(
        "YizhanApiDown",
        "critical",
        _API_DOWN,
        "The platform's API is not available: handlers that call it wait.",
        "See whether the platform is down, or only our way to it; nothing is lost meanwhile.",
        5 * _MINUTE,
    ),
)
_ROOM: Final = (
    Alert(
        "YizhanDiskFullSoon",
        "critical",
        _DISK_FULL,
        "The disk of NATS is full in less than two days at the rate of the last day.",
        "Make room, or keep less.",
        5 * _MINUTE,
    ),
    Alert(
        "YizhanStreamFullSoon",
        "warning",
        Unless(Below(Series("yizhan_stream_full_seconds", by=("stream",)), _ROOM_S), _DISK_FULL),
        "The stream {stream} is full in less than two days at the rate of the last day.",
        "Raise its bound or keep less: a full stream takes no callbacks, they go to the spool.",
        5 * _MINUTE,
    ),
)
ALERTS: Final = (*_TARGET, *_CALLBACKS, *_HANDLERS, *_API, *_ROOM)
