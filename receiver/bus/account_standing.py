"""How far each account has used its rate, as its processes keep it (`account_rate`)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from receiver.bus.connection import Connection
from receiver.bus.durables import count_subjects
from receiver.bus.jetstream_api import call
from receiver.bus.subjects import Subjects
from receiver.errors import BusError

_LATELY_S: Final = 3600.0
_UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """An account by the digest of its name. All moments of the next `ahead_s` are given out, and
    `processes` took some within the last hour.
    """

    account: str
    ahead_s: float
    processes: int


async def account_standings(
    connection: Connection, subjects: Subjects, now: datetime
) -> list[AccountStanding]:
    """Those that made calls within the last hour, by a clock that is as right as ours. Raises
    `BusError`.
    """
    found, client = [], connection.client
    for subject in sorted(await count_subjects(client, subjects.rate_stream, subjects.all_rates)):
        verb = f"STREAM.MSG.GET.{subjects.rate_stream}"
        answer = await call(client, verb, {"last_by_subj": subject})
        if "error" not in answer:  # else it has expired since
            account = subject.rpartition(".")[2]
            found.append(_standing(account, answer["message"], now.timestamp()))
    return found


def _standing(account: str, message: Mapping[str, Any], now_s: float) -> AccountStanding:
    try:
        kept = json.loads(base64.b64decode(message["data"]))
        ahead_s = max(0.0, float(kept["free_from"]) - now_s)
        processes = sum(1 for at in kept["members"].values() if now_s - float(at) < _LATELY_S)
    except _UNREADABLE as error:
        raise BusError(f"the rate of the account {account} cannot be read") from error
    return AccountStanding(account, round(ahead_s, 3), processes)
