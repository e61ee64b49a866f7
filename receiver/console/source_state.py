"""How a source stands, in a word and in few words, from its part of the status. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from receiver.console.handler_state import Tone
from receiver.operations.look.verdict import in_words


def source_words(source: Mapping[str, Any], rate: Mapping[str, Any] | None) -> Iterator[str]:
    """What came lately, whether it is silent, what could not be read."""
    if source["last_at"] is None:
        refused = source["is_refused"]
        yield f"nothing is stored of it{', and all that came was refused' if refused else ''}"
        return
    if rate is not None:
        yield f"{rate['hour']:,} in the last hour, {rate['week_before']:,} in that hour a week ago"
    if source["is_silent"]:
        usual = source["usual"]
        came = round(source["silence"]["expected"]) if usual is None else usual
        yield f"silent for {in_words(source['silent_s'])}, in which {came:,} came earlier"
    if source["is_refused"]:
        yield "all that came lately was refused"
    if source["quarantined_day"]:
        yield f"{source['quarantined_day']:,} in quarantine in a day"


def source_tone(source: Mapping[str, Any]) -> Tone:
    """`bad` where it is silent, or all of it is refused."""
    if source["is_silent"] or source["is_refused"]:
        return "bad"
    return "look" if source["quarantined_day"] else "well"
