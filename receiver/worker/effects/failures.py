"""What an error says about the effect in whose body it was raised. Performs no I/O."""

from __future__ import annotations

import sys
from typing import Final

from receiver.errors import APIError, OutcomeUnknownError, YizhanError
from receiver.worker.interface import HandlerSignal

_NOT_SENT: Final = ("ConnectError", "ConnectTimeout", "PoolTimeout")
"""What httpx2 raises where no connection came about, so that nothing was sent."""


class InDoubtError(YizhanError):
    """Whether an effect happened is not known, and nothing here can ask: a person has to say.

    Final: the event becomes a dead letter, and nothing runs the effect again before it is settled.
    The command stands first, since a reason is cut after 500 characters.
    """

    def __init__(self, name: str, key: str, why: str) -> None:
        super().__init__(
            "in_doubt: find out, then "
            f'`yizhan doubt settle {key} --happened --note "how you know"` or `--not-happened`: '
            f"the effect {name!r} may have happened ({why})"
        )


def did_not_happen(error: BaseException, safe: tuple[type[BaseException], ...]) -> bool:
    """Whether the effect did not happen for sure: by the handler's own word (`Retry`, `Drop`, or
    what it names as `safe`), since the platform refused the call or it was not sent, or since no
    connection came about.
    """
    if isinstance(error, OutcomeUnknownError):
        return False
    if isinstance(error, (HandlerSignal, APIError, ConnectionRefusedError, *safe)):
        return True
    httpx2 = sys.modules.get("httpx2")  # whose errors these are has loaded it
    return httpx2 is not None and isinstance(error, tuple(getattr(httpx2, n) for n in _NOT_SENT))
