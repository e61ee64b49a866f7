"""The commands that look, as an operator types them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from receiver.bus.connection import Connection
from receiver.bus.credentials import ConnectOptions
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from tests.bus.plain_server import plain_server
from tests.certificates import make_certificate
from tests.cli.conftest import Ended, Yizhan
from tests.cli.test_check_and_up import SOURCE
from tests.operations.shelf import Shelf

ORDER = "2745812000123456789"
PHONE = "13812345678"


@dataclass
class Counter:
    """Where an operator stands: the settings, and a shelf of callbacks."""

    yizhan: Yizhan
    environ: dict[str, str]
    shelf: Shelf

    async def run(self, *words: str) -> Ended:
        return await self.yizhan.run(*words, within_s=90, **self.environ)

    async def document(self, *words: str) -> dict[str, Any]:
        ended = await self.run(*words, "--json")
        assert ended.code == 0, ended
        document: dict[str, Any] = json.loads(ended.out)
        return document


@pytest.fixture
async def counter(
    yizhan: Yizhan,
    nats_url: str,
    subjects: Subjects,
    publisher: GroupCommitPublisher,
) -> Counter:
    file = yizhan.directory / "yizhan.toml"
    file.write_text(f"{SOURCE}[handlers]\nload = []\n")
    file.chmod(0o600)
    environ = {"YIZHAN_NATS__URL": nats_url, "YIZHAN_NATS__SUBJECT_ROOT": subjects.root}
    return Counter(yizhan, environ, Shelf(publisher, subjects))


async def test_an_order_is_told_on_one_screen_and_as_json(counter: Counter) -> None:
    first = await counter.shelf.push(ORDER, orderNo="PO-7")
    again = await counter.shelf.push(ORDER, again=first)
    text = await counter.run("order", ORDER)
    document = await counter.document("order", ORDER)
    searched = await counter.run("order", "PO-7", "--json")
    assert (await counter.run("state", "rebuild")).code == 0
    by_number = await counter.document("order", "PO-7")
    cut = await counter.run("order", ORDER, "--at", "1h")

    assert text.code == 0, text
    assert text.out.startswith(
        f"order {ORDER} of 1688, own number PO-7\n"
        "state  awaiting_shipment (WAITING_FOR_SENT), paid, 12.00 CNY\n"
        "2 events from 2 callbacks, 1 of them retransmissions; 0 runs, 0 failed; 0 dead letters\n"
    )
    assert f"ORDER_PAY_SUCCESS {first} (#1) from shop\n" in text.out
    assert f"{again} (#3) from shop, again: retransmission of {first}\n" in text.out
    assert "\x1b" not in text.out
    assert text.err == (
        f"nats: nats stream view {counter.shelf.subjects.stream} "
        f"--subject='{counter.shelf.subjects.root}.events.*.*.*.{ORDER}'\n"
    )
    assert [event["stream_seq"] for event in document["events"]] == [2, 4]
    assert document["nats"] == [text.err.removeprefix("nats: ").strip()]
    assert json.loads(searched.out)["found_by"] == {"field": "order_no", "stream_seq": 2}
    assert "PO-7 is not in the index of numbers: the handler order_state, which" in searched.err
    assert by_number["found_by"] == {"field": "order_no", "stream_seq": None}
    assert by_number["events"] == document["events"]
    assert cut.code == 1


async def test_orders_that_share_a_number_are_listed(counter: Counter) -> None:
    await counter.shelf.push("1", orderNo="PO-7")
    await counter.shelf.push("2", orderNo="PO-7")
    searched = await counter.run("order", "PO-7")
    await counter.run("state", "rebuild")
    text = await counter.run("order", "PO-7")
    document = await counter.document("order", "PO-7")
    assert (searched.code, text.code, text.err) == (0, 0, "")
    assert "yizhan order 1  (1688, order_no of #2)\n" in searched.out
    assert text.out.startswith("PO-7 is in events of 2 orders:\n  yizhan order ")
    assert sorted(one["order_id"] for one in document["orders"]) == ["1", "2"]


async def test_callbacks_and_events_are_shown_by_id_and_by_sequence(counter: Counter) -> None:
    first = await counter.shelf.push(ORDER, "SOMETHING_NEW", mobile=PHONE)
    event = await counter.document("event", f"{first}.0")
    by_sequence = await counter.document("event", "#2")
    callback = await counter.document("callback", first)
    text = await counter.run("callback", "#1")
    revealed = await counter.run("callback", "#1", "--reveal")
    shown = await counter.run("event", "#2")

    assert event == by_sequence
    assert (event["event"]["id"], event["callback"]["stream_seq"]) == (f"{first}.0", 1)
    assert [one["id"] for one in callback["events"]] == [f"{first}.0"]
    assert (PHONE in text.out, PHONE in revealed.out, PHONE in shown.out) == (False, True, False)
    assert f"callback {first} #1\n" in text.out
    assert f"unknown.received {first}.0 #2\n" in shown.out
    assert text.err == f"nats: nats stream get {counter.shelf.subjects.stream} 1\n"


NOT_THERE = (
    (("order", "999"), "no order of this id, and none of the 1 events since"),
    (("order", "0" * 32), "it looks like a callback id (`yizhan callback 0000"),
    (("event", "0" * 32), "is not among the 1 events since"),
    (("event", f"{'0' * 32}.0"), "it looks like an event id"),
    (("callback", "SF1234567890"), "a waybill number (`yizhan order SF1234567890`)"),
    (("callback", "0" * 32), "is not among the 1 callbacks since"),
    (("event", "#1"), "#1: is not of events but of callbacks: yizhan callback '#1'"),
    (("callback", "#2"), "#2: is not of callbacks but of events: yizhan event '#2'"),
    (("event", "#7"), "holds no such message: it has #1 to #2"),
)


async def test_what_is_not_there_is_one_sentence_with_a_hint(counter: Counter) -> None:
    await counter.shelf.push(ORDER)
    for words, said in NOT_THERE:
        ended = await counter.run(*words)
        assert (ended.code, ended.out) == (1, ""), ended
        assert said in ended.err
        assert ended.err.count("\n") == 1


async def test_a_tail_shows_what_is_stored_and_ends_at_its_limit(counter: Counter) -> None:
    for order in ("1", "2", "3"):
        await counter.shelf.push(order)
    text = await counter.run("tail", "--since", "1h", "--limit", "2")
    lines = await counter.run("tail", "--since", "1h", "--order", "3", "--limit", "1", "--json")
    assert text.code == lines.code == 0
    assert [line.split()[2:6] for line in text.out.splitlines()] == [
        ["#2", "payment.succeeded", "1688", "1"],
        ["#4", "payment.succeeded", "1688", "2"],
    ]
    assert json.loads(lines.out)["order_id"] == "3"
    assert lines.err.startswith("nats: nats sub '")


async def test_a_tail_goes_on_until_it_is_stopped(counter: Counter) -> None:
    await counter.shelf.push("1")
    running = await counter.yizhan.start("tail", "--since", "1h", **counter.environ)
    await running.line(lambda line: "payment.succeeded" in line)
    await counter.shelf.push("2")
    await running.line(lambda line: "1688 2 " in line)
    assert await running.stop() == 0


async def test_a_status_begins_with_its_verdict(counter: Counter) -> None:
    await counter.shelf.push("1")
    text = await counter.run("status")
    document = await counter.document("status")
    assert text.code == 0, text
    assert text.out.startswith("all is well: the last callback came ")
    assert "\n  shop " in text.out
    assert "\n  Of s nothing was ever stored. " in text.out
    assert document["verdict"]["well"] is True
    assert [one["source"] for one in document["sources"]] == ["s", "shop"]
    assert [one["messages"] for one in document["streams"]] == [2, 0]


async def test_handlers_that_cannot_be_loaded_make_a_status_partial(counter: Counter) -> None:
    counter.environ["YIZHAN_HANDLERS__LOAD"] = '["nowhere:router"]'
    ended = await counter.run("status")
    assert ended.code == 3, ended
    assert ended.out.startswith("one thing to look at: unknown: the handlers of the settings")


@pytest.mark.parametrize("command", [["order", "1"], ["tail"], ["event", "#1"]])
async def test_nats_that_is_away_is_one_sentence(counter: Counter, command: list[str]) -> None:
    counter.environ["YIZHAN_NATS__URL"] = "nats://127.0.0.1:9"
    ended = await counter.run(*command)
    assert (ended.code, ended.out) == (1, ""), ended
    assert ended.err.splitlines()[-1] == "yizhan: NATS is away (nats://127.0.0.1:9)"
    assert "Traceback" not in ended.err


PERMISSIONS = """permissions: {
  publish: ["yizhan.in.>", "yizhan.dead.>", "yizhan.runs.>", "yizhan.said", "yizhan.rate.>",
    "yizhan.workers.>", "yizhan.replay.>", "$JS.API.>", "$JS.ACK.>"]
  subscribe: ["yizhan.said", "yizhan.workers.>", "_INBOX.>"]
}"""
"""Those of Yizhan's processes, as docs/subscribing.md lists them."""


async def test_a_remote_server_is_looked_at_by_tls_and_password(
    yizhan: Yizhan, tmp_path: Path
) -> None:
    cert, key = make_certificate(tmp_path, "localhost")
    password = tmp_path / "password"
    password.write_text("p" * 20)
    password.chmod(0o600)
    more = (
        f'tls {{ cert_file: "{cert}", key_file: "{key}" }}\n'
        f'authorization {{ users: [{{ user: u, password: "{"p" * 20}", {PERMISSIONS} }}] }}'
    )
    async with plain_server(tmp_path, more) as address:
        url = f"tls://{address.replace('127.0.0.1', 'localhost')}"
        environ = {
            "YIZHAN_NATS__URL": url,
            "YIZHAN_NATS__USER": "u",
            "YIZHAN_NATS__PASSWORD_FILE": str(password),
            "YIZHAN_NATS__TLS_CA_FILE": str(cert),
            "YIZHAN_HANDLERS__LOAD": "[]",
        }
        access = ConnectOptions(user="u", password_file=password, tls_ca_file=cert)
        subjects = Subjects()
        connection = Connection(url, plans(subjects, [timedelta(hours=2)]), access=access)
        assert await connection.start(patience_s=30)
        publisher = GroupCommitPublisher(connection, timeout_s=30)
        shelf = Shelf(publisher, subjects)
        first = await shelf.push(ORDER)
        commands = (
            ("order", ORDER),
            ("status",),
            ("event", f"{first}.0"),
            ("callback", first),
            ("tail", "--since", "1h", "--limit", "1"),
        )
        ended = [await yizhan.run(*words, within_s=90, **environ) for words in commands]
        await publisher.stop()
        await connection.stop()
    assert [(one.code, one.err.count("yizhan:")) for one in ended] == [(0, 0)] * len(commands)
    assert all(first in one.out for one in (ended[0], *ended[2:4]))
    assert not any("p" * 20 in one.out + one.err for one in ended)
