"""What the tests of the HTTP edge share."""

from __future__ import annotations

import pytest

from tests.web.raw import Sender


@pytest.fixture(params=[False, True], ids=["asgi", "fast_path"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test is run with requests that go through ASGI, and with ones past it."""
    monkeypatch.setattr(Sender, "target", b"POST /callbacks/s " if request.param else b"POST / ")
