"""The examples of docs/platform/callbacks.md#callbacks are signed by the rules beside them."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from receiver.signatures import aop_signature, global_signature, xport_signature
from tests.pages import ROOT

PAGE = (ROOT / "docs" / "platform" / "callbacks.md").read_text(encoding="utf-8")
SECRET = "example-secret"


def example(dialect: str) -> tuple[dict[str, str], str]:
    """The headers and the body of a dialect's example."""
    pattern = rf"```http\nPOST /callbacks/{dialect} HTTP/1\.1\n(.+?)\n\n(.+?)\n```"
    ((head, body),) = re.findall(pattern, PAGE, re.DOTALL)
    return dict(line.split(": ", 1) for line in head.splitlines()), body


def test_the_example_of_xport_is_signed() -> None:
    headers, _ = example("xport")
    key, timestamp, nonce = (headers[name] for name in ("access-key", "timestamp", "nonce-str"))
    assert headers["signature"] == xport_signature(key, timestamp, nonce, SECRET)


def test_the_example_of_aop_is_signed() -> None:
    form = parse_qsl(example("aop")[1])
    assert dict(form)["_aop_signature"] == aop_signature(form, SECRET)


def test_the_example_of_global_is_signed() -> None:
    headers, body = example("global")
    assert headers["authorization"] == global_signature("example-app-key", body.encode(), SECRET)
