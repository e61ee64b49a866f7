"""What the API is answered from: recordings, and stored snapshots. No server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import structlog

from receiver.client.platform import PlatformAPI
from receiver.client.recording import recording
from receiver.errors import APIRejectedError, ConfigurationError, RecordingError
from receiver.replay.what_if.answers import RECORDING, Answering, NoHTTP, Recordings, Snapshot
from receiver.replay.what_if.snapshots import Source
from schemas.events import OrderSynced


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A client that is opened where nobody has set up logs keeps them off."""
    yield
    structlog.reset_defaults()


def answering(found: Snapshot | None = None, recordings: Recordings | None = None) -> Answering:
    """What every call is answered from."""

    async def find(source: Source, wanted: str) -> Snapshot | None:
        data = found[0] if found else None
        is_it = isinstance(data, source.model) and getattr(data, source.id_field) == wanted
        return found if is_it else None

    return Answering(recordings.sender(None) if recordings else None, find, [])


async def test_a_recording_answers_in_its_order_and_its_last_answer_ever_after(
    tmp_path: Path,
) -> None:
    replies = iter(
        (
            {"code": 200, "data": {"baseInfo": {"idOfStr": "1", "status": "waitsellersend"}}},
            {"code": 500, "message": "no such order"},
        )
    )
    network = httpx2.MockTransport(lambda _: httpx2.Response(200, json=next(replies)))
    real = PlatformAPI.open(access_key="key", secret="secret", tries=1, transport=network)
    with recording(real, tmp_path / "calls.jsonl"):
        await real.alibaba.orders.detail("1")
        with pytest.raises(APIRejectedError):
            await real.alibaba.orders.detail("1")
    asked = answering((OrderSynced(channel="1688", order_id="2"), 5), Recordings.of(tmp_path))
    api = asked.api(NoHTTP([]))
    found = await api.alibaba.orders.detail("1")
    for _ in range(2):
        with pytest.raises(APIRejectedError):
            await api.alibaba.orders.detail("1")
    snapshot = await api.alibaba.orders.detail("2")
    with pytest.raises(RecordingError, match=r"alibaba\.orders\.detail: neither"):
        await api.alibaba.orders.detail("3")
    assert (found.order_id, snapshot.order_id) == ("1", "2")
    assert [call.answer for call in asked.calls] == [*[RECORDING] * 3, "order.synced #5", None]
    (tmp_path / "notes.txt").write_text("not a recording")
    with pytest.raises(ConfigurationError, match=r"notes\.txt: is no recording"):
        Recordings.of(tmp_path)
