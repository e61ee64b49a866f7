"""Work beside the rest: a defect does not end it, its own end and ours do."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from receiver.resilience import supervision


async def test_a_background_task_that_raises_is_logged_and_started_again() -> None:
    begun = 0
    through = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ZeroDivisionError("a secret")
        through.set()

    with capture_logs() as logs:
        async with supervision.running(work, name="thing", again_s=0):
            await asyncio.wait_for(through.wait(), 60)
    assert begun == 3
    assert [line["event"] for line in logs] == ["background_work_failed"] * 2
    assert logs[0]["work"] == "thing"
    assert logs[0]["error"] == "ZeroDivisionError"
    assert "a secret" not in str(logs)


async def test_work_that_is_stopped_is_cancelled() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = supervision.start(work, name="thing")
    await asyncio.sleep(0)
    await supervision.stop(task)
    await supervision.stop(None)
    assert ended.is_set()
    assert task.cancelled()
