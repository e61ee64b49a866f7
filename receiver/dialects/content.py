"""The content of a callback without its push time, by which a retransmission is known. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_SORTED: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), check_circular=False
).encode
"""What was read from a text holds no circle: a check costs as much as the rest of a deep one."""


def without_push_time(message: Mapping[str, Any], push_time: str) -> bytes:
    """The outer object of a push as JSON with sorted keys, without the field `push_time`.

    Every other field counts, also one that we do not know: a mark too few means that an event is
    handled twice, a mark too many that one is left out.
    """
    rest = dict(message)
    rest.pop(push_time, None)
    return _SORTED(rest).encode()
