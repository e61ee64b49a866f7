"""What authors import is there, whole, and the same as what the engine works with."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib import metadata
from pathlib import Path

import pytest

import schemas.api
import yizhan
import yizhan.api
import yizhan.events
from schemas import parts
from schemas.events import EVENT_MODELS
from yizhan import Context, Drop, Event, Retry, Router
from yizhan.events import OrderClosed, PaymentSucceeded
from yizhan.testing import make_event, run_handler

MODULES = ("yizhan", "yizhan.api", "yizhan.dialects", "yizhan.events", "yizhan.testing")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_exports_what_it_holds_and_no_more(name: str) -> None:
    module = importlib.import_module(name)
    public = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(module.__all__)


def test_every_reply_of_the_api_and_every_part_of_a_request_can_be_imported() -> None:
    folder = Path(schemas.api.__file__).parent
    defined = {
        name
        for file in folder.glob("*.py")
        for name in re.findall(r"^class (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    parts = {name for name in defined if not name.endswith("Request")}  # methods take their fields
    assert parts - {"Envelope", "Rule", "Verdict"} <= set(yizhan.api.__all__)
    assert len(parts) > 100


def test_every_model_and_every_part_can_be_imported() -> None:
    names = {model.__name__ for model in EVENT_MODELS}
    for name, part in inspect.getmembers(parts, inspect.isclass):
        if part.__module__ == parts.__name__ and not name.startswith("_"):
            names.add(name)
    assert {"OrderCreated", "Parcel"} <= names <= set(yizhan.events.__all__)


async def test_a_handler_of_yizhans_names_runs() -> None:
    router = Router()

    @router.on(PaymentSucceeded)
    async def note(event: Event[PaymentSucceeded], ctx: Context) -> OrderClosed:
        if ctx.attempt == 1:
            raise Retry(after=60)
        if event.order_id == "2":
            raise Drop("not mine")
        return OrderClosed(channel="1688", order_id=event.order_id)

    paid = make_event(PaymentSucceeded(channel="1688", order_id="1"))
    other = make_event(PaymentSucceeded(channel="1688", order_id="2"))
    assert (await run_handler(note, paid)).outcome == "postponed"
    assert (await run_handler(note, other, attempt=2)).outcome == "dropped"
    ran = await run_handler(note, paid, attempt=2)
    assert [type(event.data) for event in ran.published] == [OrderClosed]


def test_the_installed_distribution_is_named_as_the_package() -> None:
    assert metadata.metadata("yizhan")["Name"] == yizhan.__name__
