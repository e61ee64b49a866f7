"""What our user has to be allowed for what handlers keep. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from receiver.bus.rights import Right
from receiver.bus.subjects import Subjects

_PROBE: Final = "yizhan-check"


def state_rights(subjects: Subjects) -> Iterator[Right]:
    """What a worker needs to keep effects and the state of orders; handlers that do neither run
    without it.
    """
    keeping = "to keep effects that happen once, and the state of orders"
    for verb in ("STREAM.INFO", "STREAM.CREATE", "STREAM.UPDATE", "STREAM.MSG.GET"):
        subject = f"$JS.API.{verb}.{subjects.state_stream}"
        yield Right(subject, subject, keeping, needed=False)
    yield Right(subjects.state(_PROBE), subjects.all_state, keeping, needed=False)
    read = f"$JS.API.DIRECT.GET.{subjects.stream}"
    yield Right(read, read, "to fold the events of an order", needed=False)
