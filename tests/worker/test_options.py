"""A handler's options: in `@router.on`, and in `[handlers.NAME]`, which goes first."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.settings import HandlersSettings, load_settings
from receiver.testing import make_event, run_handler
from receiver.worker.configuration import check_confirming, configured_handlers
from receiver.worker.interface import Context
from receiver.worker.options import HandlerOptions
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler, Router
from schemas.events import OrderCreated

MODULE = """
from datetime import timedelta
from pydantic import BaseModel, SecretStr
from yizhan import Context, Event, RetryPolicy, Router
from yizhan.events import OrderCreated

router = Router()

class Desk(BaseModel, extra="forbid"):
    url: str
    token: SecretStr = SecretStr("")

@router.on(OrderCreated, timeout=20, retry=RetryPolicy(max_attempts=3), order="strict", was="old")
async def report(event: Event[OrderCreated], ctx: Context) -> None: ...

@router.on(OrderCreated, settings=Desk)
async def desk(event: Event[OrderCreated], ctx: Context) -> None: ...
"""
FORWARDING = """

class Target(BaseModel):
    url: str | None = None

@router.on(OrderCreated, settings=Target, off_without="url")
async def forward(event: Event[OrderCreated], ctx: Context) -> None: ...
"""
EVERYTHING = """
from yizhan.events import EVENT_MODELS

@router.on(*EVENT_MODELS)
async def all_of_it(event: Event, ctx: Context) -> None: ...
"""
DESK = '[handlers.desk.settings]\nurl = "https://desk.example"\n'


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "optioned", raising=False)
    Path("optioned.py").write_text(MODULE, encoding="utf-8")


def settings(text: str) -> HandlersSettings:
    Path("yizhan.toml").write_text(f'[handlers]\nload = ["optioned:router"]\n{text}')
    return load_settings().handlers


def configured(text: str) -> dict[str, Handler]:
    return {handler.name: handler for handler in configured_handlers(settings(text))}


def on(**options: Any) -> HandlerOptions:
    router = Router()

    async def note(event: Event[OrderCreated], ctx: Context) -> None: ...

    router.on(OrderCreated, **options)(note)
    return router.handlers[0].options


def test_a_handler_that_says_nothing_starts_at_what_is_new() -> None:
    assert on() == HandlerOptions(start="new", order="one_at_a_time")


def test_the_decorator_takes_every_option() -> None:
    policy, time = RetryPolicy(max_attempts=2, delays_s=(1,)), datetime(2026, 1, 31, tzinfo=UTC)
    given = on(
        start=time,
        timeout=timedelta(minutes=1),
        retry=policy,
        concurrency=4,
        order="none",
        was="before",
        settings=OrderCreated,
        coalesce=timedelta(seconds=5),
        coalesce_within=60,
        trust="requeried",
    )
    plain = HandlerOptions(time, 60.0, policy, 4, "none", "before", OrderCreated)
    assert given == replace(plain, coalesce_s=5.0, coalesce_within_s=60.0, trust="requeried")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timeuot": 3}, "there is no option 'timeuot': did you mean timeout?"),
        ({"zzz": 3}, "there is no option 'zzz': known are start, timeout, retry"),
        ({"start": "old"}, 'start: write "new", "all" or a time with its offset'),
        ({"start": datetime(2026, 1, 31)}, "start: write"),  # noqa: DTZ001 - the misuse under test
        ({"timeout": 0}, "timeout: write a number greater than 0"),
        ({"timeout": float("nan")}, "timeout: write"),
        ({"retry": 3}, r"retry: write RetryPolicy\(max_attempts=..., delays_s="),
        ({"retry": RetryPolicy(delays_s=())}, "delays_s: write a list of seconds"),
        ({"retry": RetryPolicy(max_attempts=0)}, "max_attempts: write a number greater"),
        ({"concurrency": 0}, "concurrency: write a number greater"),
        ({"order": "any"}, "order: write 'one_at_a_time', 'strict' or 'none'"),
        ({"was": "a-b"}, "was: write the name of a handler"),
        ({"settings": {}}, "settings: give a pydantic model"),
        ({"trust": "all"}, "trust: write 'any' or 'requeried'"),
        ({"coalesce": -1}, "coalesce: write a number greater than 0"),
        ({"coalesce_within": 86_400}, "coalesce_within: write a number .*43200"),
        ({"off_without": "url"}, "off_without: write the name of a field of its settings' model"),
        ({"off_without": "url", "settings": OrderCreated}, "off_without: write the name"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_with_a_sentence(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"@router.on of note: .*{sentence}"):
        on(**options)


def test_a_handler_named_as_a_setting_is_refused() -> None:
    async def load(event: Event[OrderCreated], ctx: Context) -> None: ...

    with pytest.raises(ConfigurationError, match=r"named as a setting of \[handlers\].*rename it"):
        Router().on(OrderCreated)(load)


def test_what_nothing_says_of_a_handler_is_said_of_all() -> None:
    loaded = configured(f"timeout_s = 7\nconcurrency = 5\nmax_attempts = 9\n{DESK}")
    options = loaded["desk"].options
    assert (options.timeout_s, options.concurrency) == (7, 5)
    assert options.retry is not None
    assert options.retry.max_attempts == 9
    assert loaded["report"].options.timeout_s == 20


def test_a_section_of_the_settings_goes_before_the_decorator() -> None:
    section = (
        '[handlers.report]\nstart = 2026-01-31T08:00:00+08:00\ntimeout_s = 9\norder = "none"\n'
        'concurrency = 2\ndelays_s = [1, 2]\nwas = "older"\ncoalesce_s = 5\n'
    )
    options = configured(section + DESK)["report"].options
    assert options.start == datetime(2026, 1, 31, tzinfo=UTC)
    assert (options.timeout_s, options.order, options.concurrency) == (9, "none", 2)
    assert (options.was, options.coalesce_s) == ("older", 5)
    assert options.retry is not None
    assert (options.retry.max_attempts, options.retry.delays_s) == (3, (1.0, 2.0))


def test_a_handler_of_confirmed_events_needs_an_api_to_ask() -> None:
    asked = configured(f'confirm_within_s = 60\n[handlers.report]\ntrust = "requeried"\n{DESK}')
    report = asked["report"]
    assert (report.options.trust, report.options.confirm_within_s) == ("requeried", 60)
    for quiet in (replace(report, needs_api=True), replace(report, off="off"), asked["desk"]):
        check_confirming([quiet], configured=False)
    check_confirming([report], configured=True)
    with pytest.raises(ConfigurationError, match=r"report .*add an \[api\] section.*to \"any\""):
        check_confirming([report], configured=False)


def test_a_variable_sets_an_option_of_one_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIZHAN_HANDLERS__REPORT__TIMEOUT_S", "4")
    monkeypatch.setenv("YIZHAN_HANDLERS__REPORT__DELAYS_S", "[3]")
    options = configured(DESK)["report"].options
    assert options.timeout_s == 4
    assert options.retry is not None
    assert options.retry.delays_s == (3.0,)


def test_a_handlers_own_settings_are_an_instance_of_its_model() -> None:
    own: Any = configured(f'{DESK}token = "secret"\n')["desk"].settings
    assert own.url == "https://desk.example"
    assert own.token.get_secret_value() == "secret"


def test_a_handler_is_on_unless_the_settings_say_otherwise() -> None:
    assert [handler.off for handler in configured(DESK).values()] == ["", ""]


def test_a_handler_that_is_switched_off_needs_no_settings_of_its_own() -> None:
    desk = configured("[handlers.desk]\nenabled = false\n")["desk"]
    assert (desk.off, desk.settings) == ("handlers.desk.enabled is false", None)


def test_a_variable_switches_a_handler_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIZHAN_HANDLERS__REPORT__ENABLED", "false")
    loaded = configured(DESK)
    assert (loaded["report"].off != "", loaded["desk"].off) == (True, "")


def test_patterns_narrow_the_events_that_a_handler_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("optioned.py").write_text(MODULE + EVERYTHING, encoding="utf-8")
    chosen = configured(f'{DESK}[handlers.all_of_it]\nevents = ["payment.*", "order.synced"]\n')
    types = {model.event_type for model in chosen["all_of_it"].models}
    monkeypatch.setenv("YIZHAN_HANDLERS__ALL_OF_IT__EVENTS", "payment.succeeded order.closed")
    by_variable = configured(DESK)["all_of_it"].models
    payments = {"payment.succeeded", "payment.stage_succeeded", "payment.batch_settled"}
    assert types == payments | {"order.synced"}
    assert [model.event_type for model in by_variable] == ["order.closed", "payment.succeeded"]


@pytest.mark.parametrize(
    ("section", "off"),
    [
        ("", "no handlers.forward.settings.url"),
        ('[handlers.forward.settings]\nurl = "https://desk.example"\n', ""),
    ],
    ids=["without", "with"],
)
def test_a_handler_is_off_without_the_setting_that_it_cannot_do_without(
    section: str, off: str
) -> None:
    Path("optioned.py").write_text(MODULE + FORWARDING, encoding="utf-8")
    assert configured(DESK + section)["forward"].off == off


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"handlers\.desk\.settings\.url: is missing: add it"),
        (f"{DESK}tokn = 'x'\n", r"settings\.tokn: no such setting: did you mean token\?"),
        ("[handlers.report.settings]\na = 1\n", "the handler gives no model.*settings=TheModel"),
        ("[handlers.desks]\ntimeout_s = 1\n", r"handlers\.desks: no such handler: .* mean desk\?"),
        ("[handlers.zzz]\ntimeout_s = 1\n", "no such handler: loaded are report, desk"),
        ("[handlers.desk]\ntimout_s = 1\n", r"desk\.timout_s: .* did you mean timeout_s\?"),
        ("[handlers.desk]\nstart = 2026-01-31\n", r"desk\.start: write \"new\", \"all\" or a time"),
        (
            f'{DESK}[handlers.report]\nevents = ["order.craeted"]\n',
            r"handlers\.report\.events: 'order.craeted' is no event of it: .* order\.created\?",
        ),
        (f'{DESK}[handlers.report]\nevents = ["zzz*"]\n', "it takes order.created"),
        (f"{DESK}[handlers.report]\nevents = []\n", r"events: write a list of event types or"),
        ("concurency = 3\n", "did you mean concurrency.*one handler's settings stand in"),
    ],
)
def test_a_section_that_does_not_fit_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        configured(text)


def test_no_error_shows_what_a_handlers_settings_hold() -> None:
    with pytest.raises(ConfigurationError) as caught:
        configured(f'{DESK}tokn = "secret-token"\n')
    assert "secret-token" not in str(caught.value)


async def test_a_handler_reads_its_settings_from_the_context() -> None:
    class Limit(BaseModel):
        most: int = 3

    seen = []

    async def note(event: Event[OrderCreated], ctx: Context) -> None:
        seen.append(ctx.settings.most)

    event = make_event(OrderCreated(channel="1688", order_id="1"))
    await run_handler(note, event, settings=Limit(most=5))
    assert seen == [5]


async def test_a_policy_of_its_own_decides_what_a_failure_leads_to() -> None:
    async def fail(event: Event[OrderCreated], ctx: Context) -> None:
        raise ValueError

    policy = RetryPolicy(max_attempts=1)
    handler = Handler("fail", fail, (OrderCreated,), options=HandlerOptions(retry=policy))
    ran = await run_handler(handler, make_event(OrderCreated(channel="1688", order_id="1")))
    assert ran.outcome == "dead_lettered"
