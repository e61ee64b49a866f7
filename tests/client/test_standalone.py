"""The API by itself: an account given by name, or by a settings file."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from receiver.settings import APISettings
from tests.client.conftest import Platform, settings_of
from yizhan.client import ConfigurationError, PlatformAPI

SCRIPT = """
import asyncio, sys
from yizhan.client import PlatformAPI

async def main() -> None:
    async with PlatformAPI.open(base_url=sys.argv[1], access_key="AK", secret="s3cret") as api:
        order = await api.alibaba.orders.detail("1")
        print(order.base_info.status)

asyncio.run(main())
print([name for name in sys.modules if name.startswith("nats")])
"""


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A script's logs are set up where nobody did it: later tests want them as they were."""
    yield
    structlog.reset_defaults()


async def test_a_plain_script_prints_nothing_but_its_own_lines(platform: Platform) -> None:
    platform.reply({"baseInfo": {"id": 1, "status": "success"}})
    ran = await run_script(platform.url)
    assert (ran.stdout, ran.stderr) == ("success\n[]\n", "")
    assert platform.asked[0].headers["access-key"] == "AK"


async def run_script(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, url]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ({"secret": "s"}, "api.access_key: is missing: add it"),
        (
            {"access_key": "k"},
            'api: write either secret = "..." or secret_file = "..."',
        ),
        (
            {"access_key": "k", "secret": "s", "edtion": "v1"},
            "api.edtion: no such setting: did you mean edition?",
        ),
        (
            {"access_key": "k", "secret_file": "gone"},
            "api.secret_file: gone: cannot be read: No such file or directory: "
            "mount the secret there, or name the file that holds it",
        ),
    ],
)
def test_a_wrong_account_is_a_sentence(account: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PlatformAPI.open(**account)
    assert str(caught.value) == said


def test_settings_and_values_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        PlatformAPI.open(settings_of("https://platform.test"), access_key="k")


async def test_a_settings_file_gives_the_account(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in APISettings.model_fields:
        monkeypatch.delenv(f"YIZHAN_API__{name.upper()}", raising=False)
    (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")
    file = tmp_path / "yizhan.toml"
    secret_file = json.dumps(str(tmp_path / "secret"))
    file.write_text(
        f'[api]\naccess_key = "FILE"\nsecret_file = {secret_file}\nbase_url = "{platform.url}"\n',
        encoding="utf-8",
    )
    platform.reply({"baseInfo": {"id": 1}})
    async with PlatformAPI.from_file(file) as api:
        await api.alibaba.orders.detail("1")
    assert platform.asked[0].headers["access-key"] == "FILE"


def test_a_settings_file_without_an_account_says_what_to_write(tmp_path: Path) -> None:
    file = tmp_path / "yizhan.toml"
    file.write_text("[nats]\nport = 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"api: is missing: write a section \[api\]"):
        PlatformAPI.from_file(file)
