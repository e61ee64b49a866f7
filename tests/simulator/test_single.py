"""One message about one order: each that the catalogue names makes the events that it says."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import SecretStr

from receiver.callback import InboundRequest, VerifiedRequest
from receiver.cli.trial import Sender
from receiver.dialects import DIALECTS
from receiver.settings import Settings, SourceSettings
from receiver.simulator.orders import OrderBook
from receiver.simulator.refunds import RefundBook
from receiver.simulator.signing import DIALECTS as PLAYED
from receiver.simulator.signing import Account, signed
from receiver.simulator.single import Singles

ORDER = 2745812000123456789
NOW_MS = int(datetime.now(UTC).timestamp() * 1000)


def test_every_known_message_is_read_as_the_events_of_its_row() -> None:
    wrong = []
    for dialect in PLAYED:
        source = SourceSettings(
            name="trial",
            dialect=dialect,
            verification="signature",
            simulated=True,
            access_key="k",
            secrets=(SecretStr("s"),),
        )
        (known,) = Sender.of(Settings(sources=(source,)), "http://unused").sources
        singles = Singles(OrderBook(1))
        for message in known.messages:
            body = singles.message(dialect, message.name, ORDER, now_ms=NOW_MS)
            sent = signed(Account("k", "s", dialect=dialect), body, now_ms=NOW_MS)
            headers = [(name.encode(), text.encode()) for name, text in sent.headers.items()]
            request = InboundRequest(source, headers, sent.content, datetime.now(UTC))
            proof = DIALECTS[dialect].verify_signature(request, datetime.now(UTC))
            read = DIALECTS[dialect].parse(VerifiedRequest(request, proof))
            made = {event.data.event_type for event in read.events}
            orders = {event.data.order_id for event in read.events}
            fits = made and made <= set(message.event_types) and not read.faults
            about = str(ORDER) in orders or "unknown.received" in made or message.name == "9"
            if not (fits and about):  # a refund of `global` names its case alone
                wrong.append((dialect, message.name, made, orders, read.faults))
    assert not wrong


def test_messages_about_one_order_agree_and_an_api_knows_what_they_are_about() -> None:
    book, refunds = OrderBook(1), RefundBook()
    first, second = Singles(book, refunds), Singles(OrderBook(2))
    trace = first.message("xport", "LOGISTICS_BUYER_VIEW_TRACE", ORDER, now_ms=NOW_MS)
    order = book.find("1688", str(ORDER))
    assert order is not None
    assert order.parcel is not None
    assert order.parcel.waybill_no in trace.decode()
    waybill_no = order.parcel.waybill_no

    other = second.message("xport", "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS", ORDER, now_ms=NOW_MS)
    known = second.book.find("1688", str(ORDER))
    assert known is not None
    assert known.parcel is not None
    assert known.parcel.waybill_no == waybill_no
    assert str(ORDER) in other.decode()

    inventing = OrderBook(3)  # of an API that is asked about what another process pushed
    inventing.invent = Singles(inventing).invent
    invented = inventing.find("1688", str(ORDER))
    assert invented is not None
    assert invented.parcel is not None
    assert invented.parcel.waybill_no == waybill_no
    assert inventing.find("1688", "no-id") is None
    assert inventing.find("taobao", str(ORDER + 1)) is not None

    first.message("xport", "ORDER_BUYER_VIEW_ORDER_BUYER_REFUND", ORDER, now_ms=NOW_MS)
    replaced = book.find("1688", str(ORDER))
    assert replaced is not order
    assert order.by_calls  # its own life, had it one, is over
    assert [case.order for case in refunds.refunds.values()] == [replaced]
