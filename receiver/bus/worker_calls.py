"""Asking all worker processes at once.

How many there are is not known: who asks waits until no further answer comes. Answers go to a
subject of the workers' own, since theirs is the right to publish below that alone.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError

from receiver.bus.subjects import Subjects
from receiver.errors import BusError

_FIRST_S: Final = 2.0
"""How long to wait for the first answer: a process may be busy."""
_NEXT_S: Final = 0.3
_NOBODY: Final = "503"

Enough = Callable[[Sequence[bytes]], bool] | None


async def ask_workers(
    client: Client, subjects: Subjects, question: str, *, enough: Enough = None
) -> list[bytes]:
    """What the processes answer; none where there are none. Raises `BusError` where NATS is away.

    Waits longer where it is known what is `enough`, and no longer than for that.
    """
    inbox = subjects.workers("answers", secrets.token_hex(8))
    answers: list[bytes] = []
    try:
        subscription = await client.subscribe(inbox)
        try:
            await client.publish(subjects.workers(question), reply=inbox)
            with contextlib.suppress(TimeoutError):
                while enough is None or not enough(answers):
                    patience_s = _NEXT_S if answers and enough is None else _FIRST_S
                    message = await subscription.next_msg(patience_s)
                    if (message.headers or {}).get("Status") == _NOBODY:
                        break
                    answers.append(message.data)
        finally:
            await subscription.unsubscribe()
    except (BusError, NatsError, OSError) as error:
        raise BusError(f"the workers cannot be asked: {type(error).__name__}") from error
    return answers
