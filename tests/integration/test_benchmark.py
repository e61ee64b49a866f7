"""The endpoint by hand that `make bench` compares with does the work that the page says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from bench.servers.paid_order import SOURCE, SignatureError, take, verify
from bench.signed import ACCESS_KEY, SECRET
from receiver.bus.connection import Connection
from receiver.bus.publish.contract import Submitter
from receiver.bus.subjects import Subjects
from receiver.callback import InboundRequest
from receiver.dialects import DIALECTS
from receiver.ingest.intake import Intake
from receiver.ingest.storing import IntakeResult
from receiver.settings import SourceSettings
from receiver.signatures import xport_signature

ORDER = {
    "orderId": "1234567890123456789",
    "orderNo": "PO1",
    "orderStatus": "WAITING_FOR_SENT",
    "payStatus": 2,
    "totalAmount": 1200,
    "shippingFee": 205,
    "productAmount": 995,
    "refundAmount": 0,
    "refundStatus": None,
    "payTime": "2026-01-31 08:00:00",
}
BODY = json.dumps(
    {
        "messageType": "ORDER_PAY_SUCCESS",
        "messagePlatform": 1,
        "timestamp": "1769817600000",
        "messageBody": json.dumps(ORDER),
    }
).encode()
YIZHAN_ALONE = {"yizhan-deliveryid", "yizhan-content", "ce-factid"}
"""Headers of what the endpoint by hand does not do."""


def signed(at: datetime) -> dict[str, str]:
    timestamp, nonce = str(int(at.timestamp() * 1000)), "n" * 32
    return {
        "access-key": ACCESS_KEY,
        "timestamp": timestamp,
        "nonce-str": nonce,
        "signature": xport_signature(ACCESS_KEY, timestamp, nonce, SECRET),
        "content-type": "application/json",
    }


async def yizhan_takes(publisher: Submitter, subjects: Subjects, headers: Mapping[str, str]) -> int:
    """How many messages it stored."""
    source = SourceSettings(
        name=SOURCE,
        dialect="xport",
        verification="signature",
        access_key=ACCESS_KEY,
        secrets=(SecretStr(SECRET),),
        replay_check="off",
    )
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = InboundRequest(source, pairs, BODY, datetime.now(UTC), delivery_id="d")
    answer: asyncio.Future[IntakeResult] = asyncio.get_running_loop().create_future()
    Intake(publisher, subjects, DIALECTS).accept(request, answer.set_result)
    told = await answer
    assert not isinstance(told, Exception)
    return 1 + len(told.events)


async def test_both_store_the_same_two_messages_of_a_callback(
    connection: Connection, publisher: Submitter, subjects: Subjects, client: Client
) -> None:
    jetstream, root = client.jetstream(), f"{subjects.root}-hand"
    await jetstream.add_stream(name=root, subjects=[f"{root}.>"])
    headers = signed(datetime.now(UTC))
    await take(jetstream, headers, BODY, root=root)
    assert await yizhan_takes(publisher, subjects, headers) == 2
    for sequence in (1, 2):
        theirs = await jetstream.get_msg(root, sequence)
        ours = await jetstream.get_msg(subjects.stream, sequence)
        assert theirs.data == ours.data
        assert (theirs.subject or "").removeprefix(f"{root}.") == (ours.subject or "").removeprefix(
            f"{subjects.root}."
        )
        said, ours_said = dict(theirs.headers or {}), dict(ours.headers or {})
        assert set(ours_said) - set(said) <= YIZHAN_ALONE
        assert {k: v for k, v in said.items() if "receivedtime" not in k}.items() <= (
            ours_said.items()
        )
    await jetstream.delete_stream(root)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signature": "0" * 32}, "bad signature"),
        ({"access-key": "other"}, "bad signature"),
        (signed(datetime.now(UTC) - timedelta(hours=1)), "stale timestamp"),
    ],
    ids=["signature", "key", "time"],
)
def test_the_endpoint_by_hand_verifies(change: dict[str, str], reason: str) -> None:
    now = datetime.now(UTC)
    verify(signed(now), now)
    with pytest.raises(SignatureError, match=reason):
        verify(signed(now) | change, now)
