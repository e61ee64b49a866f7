"""`docs/verification.md`: openssl and curl alone can sign for each dialect, as the page shows."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.dialects import DIALECTS
from receiver.ingest.intake import Intake
from receiver.ingest.sources import Sources
from receiver.observability.counters import DeliveryCounts
from receiver.settings import SourceSettings
from receiver.web.app import create_app
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.health import HealthEndpoints
from receiver.web.server import bind, serving

PAGE = (Path(__file__).parents[2] / "docs" / "verification.md").read_text(encoding="utf-8")
COMMANDS: dict[str, str] = dict(re.findall(r"\n## (\w+)\n.*?```sh\n(.*?)```", PAGE, re.DOTALL))
KEY, SECRET = "page-key", "page-secret"


def source(dialect: str) -> SourceSettings:
    return SourceSettings.model_validate(
        {
            "name": dialect,
            "dialect": dialect,
            "verification": "signature",
            "access_key": KEY,
            "secrets": [SECRET],
        }
    )


async def shell(commands: str, **environ: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-euc",
        commands,
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("curl")), reason="needs openssl and curl"
)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_commands_of_the_page_are_accepted(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects, dialect: str
) -> None:
    endpoint = CallbackEndpoint(
        Intake(publisher, subjects, DIALECTS),
        Sources([source(dialect)]),
        limit_bytes=1 << 20,
        counts=DeliveryCounts(),
    )
    app = create_app(endpoint, HealthEndpoints(connection.probe))
    async with serving(app, bind("127.0.0.1", 0)) as url:
        told = await shell(COMMANDS[dialect], RECEIVER=url, KEY=KEY, SECRET=SECRET)
        wrong = await shell(COMMANDS[dialect], RECEIVER=url, KEY=KEY, SECRET="other")
    assert json.loads(told)["status"] == "stored"
    assert json.loads(wrong) == {"error": "unauthorized"}


def test_every_reason_of_the_code_is_on_the_page() -> None:
    code = "".join(
        file.read_text(encoding="utf-8")
        for file in (Path(__file__).parents[2] / "receiver").rglob("*.py")
    )
    reasons = set(re.findall(r'VerificationError\(\s*"(\w+)"', code))
    reasons |= set(re.findall(r'required_header\([^)]*"(missing_\w+)"\)', code))
    assert reasons - set(re.findall(r"`(\w+)`", PAGE)) == set()
