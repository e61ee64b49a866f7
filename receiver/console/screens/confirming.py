"""What a page that asks and the act that follows share: one message, or what filters select."""

from __future__ import annotations

from collections.abc import Sequence

from receiver.bus.read.filters import Filters
from receiver.console.rendering import query
from receiver.console.screen import Asked, ChangedError, Done


def form_fields(asked: Asked, one: str, count: int) -> dict[str, str]:
    """The fields of the form: `one` names the parameter of a single message."""
    if (seq := asked.others.get(one)) is not None:
        return {**asked.words, "count": str(count), one: seq}
    return {**asked.pinned(), "count": str(count)}


def check_count(asked: Asked, count: int, what: str) -> None:
    """Raises `ChangedError` where the form confirmed another count than there is now."""
    confirmed = asked.others.get("count", "")
    if str(count) != confirmed:
        raise ChangedError(
            f"{confirmed or 'no number of'} {what} were confirmed, and {count:,} are selected now: "
            "nothing was done. Look again, and confirm what is there."
        )


def recorded_filters(asked: Asked, one: str) -> Filters:
    """Those of the record: of a single message its sequence says all."""
    return Filters() if one in asked.others else asked.filters


def done(page: str, asked: Asked, said: Sequence[str], *, without: Sequence[str]) -> Done:
    """Back to the list, with what was done; without the filters that select what is gone."""
    text = "; ".join(said)
    words = {name: given for name, given in asked.words.items() if name not in without}
    return Done(page + query(words), f"{text[0].upper()}{text[1:]}.")
