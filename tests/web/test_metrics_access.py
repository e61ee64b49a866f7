"""Who may read `/metrics`: this machine, and who has the token."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from receiver.settings.metrics import MetricsSettings
from receiver.web.metrics_access import guarded

TOKEN = "k" * 16
AWAY = "192.0.2.7"


async def page(_: Request) -> Response:
    return Response("yizhan_build_info 1")


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("127.0.0.1", {"x-forwarded-for": AWAY}, 401),
        ("127.0.0.1", {"forwarded": f"for={AWAY}"}, 401),
        (AWAY, {}, 401),
        (AWAY, {"authorization": f"Bearer {TOKEN}"}, 200),
        (AWAY, {"authorization": f"Bearer {TOKEN}x"}, 401),
        (AWAY, {"authorization": TOKEN}, 401),
        (None, {}, 401),
        ("no address", {}, 401),
    ],
)
async def test_elsewhere_takes_the_token(
    peer: str | None, headers: dict[str, str], status: int
) -> None:
    lines = [(name.encode(), text.encode()) for name, text in headers.items()]
    request = Request(
        {"type": "http", "headers": lines, "client": (peer, 1) if peer is not None else None}
    )
    assert (await guarded(page, TOKEN)(request)).status_code == status
    without = await guarded(page, None)(request)
    assert without.status_code == (200 if status == 200 and "authorization" not in headers else 401)


@pytest.mark.parametrize("token", ["short", "two words are no token", "密" * 16])
def test_a_token_that_is_guessed_or_fits_no_header_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="a token has 16 or more"):
        MetricsSettings(token=token)
    with pytest.raises(ValueError, match="exclude each other"):
        MetricsSettings(token=TOKEN, token_file="file")
