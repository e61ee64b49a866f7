"""What says most of an event in few words. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_SHOWN: Final = ("status", "platform_status", "refund_id", "progress", "closed_by", "reason")


def facts(data: Any) -> str:
    """Of the data of an event: its states, its money, its waybills; empty for what is no object."""
    if not isinstance(data, dict):
        return ""
    found = [str(data[name]) for name in _SHOWN if isinstance(data.get(name), str)]
    amounts = data.get("amounts")
    money = data.get("amount") or (amounts.get("total") if isinstance(amounts, dict) else None)
    if isinstance(money, dict):
        found.append(f"{money.get('amount')} {money.get('currency')}")
    return ", ".join([*found, *_waybills(data)])


def _waybills(data: Mapping[str, Any]) -> Iterator[str]:
    """Those of its parcels, and of the traces of some."""
    traces = [one.get("parcel") for one in data.get("traces") or () if isinstance(one, dict)]
    for parcel in (data.get("parcel"), *(data.get("parcels") or ()), *traces):
        if isinstance(parcel, dict) and isinstance(parcel.get("waybill_no"), str):
            yield parcel["waybill_no"]
