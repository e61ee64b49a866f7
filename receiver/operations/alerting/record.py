"""What is known of alerts, kept where all processes see it: one of them evaluates, others wait.

One message of the stream of metrics, replaced by compare-and-set. Who wrote it last is the owner,
until it is silent for a while.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from receiver.bus.connection import Connection
from receiver.bus.metrics_stream import Kept, MetricsStream
from receiver.bus.subjects import Subjects
from receiver.observability.alerts.evaluation import Case, Holding
from receiver.operations.alerting.notice import BY_NAME, Notice

_SILENT: Final = timedelta(seconds=60)
"""An owner writes every quarter of a minute."""
_MAX_UNSENT: Final = 200


@dataclass(frozen=True, slots=True)
class Known:
    """The alerts that hold, and the notices that are not posted yet, oldest first."""

    holdings: Mapping[Case, Holding] = field(default_factory=dict)
    unsent: Sequence[Notice] = ()


class Found(NamedTuple):
    """What is kept, and its sequence, 0 for none. `is_foreign`: another process wrote it last;
    `is_owned`: and did so lately, so that it is the owner.
    """

    known: Known
    seq: int
    is_foreign: bool
    is_owned: bool


class AlertRecord:
    """Reads and writes it; everything raises `BusError`."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._owner = secrets.token_hex(8)

    async def get(self, now: datetime) -> Found:
        """What is kept, of which nothing may be there yet."""
        stream = self._stream()
        kept = await stream.get(self._subjects.metrics_alerts)
        if kept is None:
            await stream.ensure()
            return Found(Known(), 0, is_foreign=False, is_owned=False)
        is_foreign = kept.document.get("owner") != self._owner
        is_owned = is_foreign and now - kept.time < _SILENT
        return Found(_known(kept), kept.seq, is_foreign, is_owned)

    async def watched(self, now: datetime) -> Mapping[Case, Holding] | None:
        """The alerts that hold as the process knows them that watches now; None where none does."""
        kept = await self._stream().get(self._subjects.metrics_alerts)
        if kept is None or now - kept.time >= _SILENT:
            return None
        return _known(kept).holdings

    async def put(self, known: Known, expected: int) -> int:
        """Keep it in place of the message of sequence `expected`, and be the owner; gives the new
        one. Raises `ReportConflictError` where another is there.
        """
        document = {
            "owner": self._owner,
            "holdings": [
                [
                    case.alert,
                    list(case.labels),
                    holding.since.isoformat(),
                    holding.fired and holding.fired.isoformat(),
                ]
                for case, holding in known.holdings.items()
            ],
            "unsent": [notice.document() for notice in known.unsent[-_MAX_UNSENT:]],
        }
        return await self._stream().put(self._subjects.metrics_alerts, document, expected)

    def _stream(self) -> MetricsStream:
        return MetricsStream(self._connection.client, self._subjects)


def _known(kept: Kept) -> Known:
    """Nothing for what another version wrote that we cannot read."""
    try:
        holdings = dict(map(_holding, kept.document["holdings"]))
        unsent = [Notice(**notice) for notice in kept.document["unsent"]]
    except (KeyError, TypeError, ValueError):
        return Known()
    return Known({case: one for case, one in holdings.items() if _is_ours(case)}, unsent)


def _holding(document: Sequence[Any]) -> tuple[Case, Holding]:
    alert, labels, since, fired = document
    at = None if fired is None else datetime.fromisoformat(fired)
    return Case(alert, tuple(labels)), Holding(datetime.fromisoformat(since), at)


def _is_ours(case: Case) -> bool:
    alert = BY_NAME.get(case.alert)
    return alert is not None and len(alert.labels) == len(case.labels)
