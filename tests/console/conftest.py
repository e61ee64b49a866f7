"""One console over one seeded log, and one browser, for all tests of this folder."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from receiver.bus.connection import Connection
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from tests.console.asked import USERS
from tests.console.browsing import started_browser
from tests.console.desk import Visitor, opened_visitor
from tests.console.seeded import Place, laid_out, seed

if TYPE_CHECKING:
    from playwright.async_api import Browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests in a browser. They are the longest, and of several processes one alone
    then runs them: another takes tests from the end of its list, and would start all of this anew.
    """
    items.sort(key=lambda item: "site" not in getattr(item, "fixturenames", ()))


@dataclass(frozen=True)
class Site:
    """Two consoles that run over one log, by their URLs with their prefix and no slash at the end:
    one that is open to this machine, and one that wants users to log in; and the log.
    """

    place: Place
    base: str
    locked: str
    connection: Connection
    subjects: Subjects


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with started_browser() as started:
        yield started


@pytest.fixture(scope="package")
async def site(nats_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    subjects = Subjects(f"c{secrets.token_hex(6)}")
    place = laid_out(tmp_path_factory.mktemp("console"), nats_url, subjects)
    connection = Connection(nats_url, plans(subjects, [timedelta(hours=2, minutes=30)]))
    assert await connection.start(patience_s=60)
    await seed(place, connection, subjects)
    users = {"YIZHAN_CONSOLE__AUTH": "token", "YIZHAN_CONSOLE__USERS": json.dumps(USERS)}
    open_, locked = await _served(place), await _served(place, **users)
    yield Site(place, open_, locked, connection, subjects)
    await place.yizhan.kill_all()
    for stream in await connection.jetstream.streams_info():
        if subjects.root.upper() in str(stream.config.name):
            await connection.jetstream.delete_stream(str(stream.config.name))
    await connection.stop()


async def _served(place: Place, **environ: str) -> str:
    running = await place.yizhan.start("console", **place.environ, **environ)
    line = await running.line(lambda line: "console_served" in line)
    return str(json.loads(line)["url"]).rstrip("/")


@pytest.fixture(scope="package")
async def visitor(
    nats_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Visitor]:
    """One who asks without a browser, over a log of its own."""
    async with opened_visitor(nats_url, tmp_path_factory.mktemp("visited")) as opened:
        yield opened
