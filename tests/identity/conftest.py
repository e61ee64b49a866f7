"""A receiver for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from receiver.bus.connection import Connection
from receiver.bus.publish.contract import Submitter
from receiver.bus.subjects import Subjects
from tests.identity.receiving import Receiver, receiving


@pytest.fixture
async def receiver(
    publisher: Submitter, connection: Connection, subjects: Subjects
) -> AsyncIterator[Receiver]:
    async with receiving(publisher, connection, subjects) as running:
        yield running
