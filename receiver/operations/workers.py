"""The worker processes that run, as each answers for itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from nats.aio.client import Client
from pydantic import ValidationError

from receiver.bus.subjects import Subjects
from receiver.bus.worker_calls import ask_workers
from receiver.worker.status import OWNER, STATUS, WorkerStatus


@dataclass(frozen=True, slots=True)
class Activity:
    """What all processes together do for one handler; `owner` runs it, None where none does.

    `waiting` events are in a process and not begun; `unanswered` ones are done, and their
    acknowledgement is on its way.
    """

    owner: WorkerStatus | None = None
    running: int = 0
    waiting: int = 0
    unanswered: int = 0

    @property
    def idle(self) -> bool:
        """Whether no process has anything of the handler's in hand."""
        return not (self.running or self.waiting or self.unanswered)


async def ask_status(
    client: Client, subjects: Subjects, *, pids: Collection[int] = ()
) -> list[WorkerStatus]:
    """Every process that answers; raises `BusError`. Those of `pids` are waited for longer, and no
    others.
    """

    def enough(answers: Sequence[bytes]) -> bool:
        return {status.pid for status in _read(answers)}.issuperset(pids)

    answers = await ask_workers(client, subjects, STATUS, enough=enough if pids else None)
    return _read(answers)


def activity(workers: Iterable[WorkerStatus], handler: str) -> Activity:
    """That of one handler."""
    of = [worker for worker in workers if handler in worker.handlers]
    statuses = [worker.handlers[handler] for worker in of]
    owners = [worker for worker in of if worker.handlers[handler].owns]
    owners.sort(key=lambda worker: worker.handlers[handler].role != OWNER)  # not who is about to be
    return Activity(
        owners[0] if owners else None,
        sum(status.running for status in statuses),
        sum(status.waiting for status in statuses),
        sum(status.unanswered for status in statuses),
    )


def _read(answers: Iterable[bytes]) -> list[WorkerStatus]:
    """Without what another version answered that we cannot read."""
    found: list[WorkerStatus] = []
    for answer in answers:
        try:
            found.append(WorkerStatus.model_validate_json(answer))
        except ValidationError:
            continue
    return found
