"""A store on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from receiver.bus.connection import Connection
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects


@pytest.fixture
async def store(connection: Connection, subjects: Subjects) -> AsyncIterator[StateStore]:
    made = StateStore(connection, subjects, timeout_s=30)
    await made.ensure()
    yield made
    await made.stop()
