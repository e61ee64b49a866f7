"""The values that a shell offers at Tab."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from nats.aio.client import Client
from typer.main import get_group

from receiver.bus.subjects import Subjects
from receiver.cli import completion
from receiver.cli.app import app
from tests.cli.test_check_and_up import SOURCE

CAUSE = "0a1b2c3d4e5f"


@pytest.fixture
def context(tmp_path: Path) -> typer.Context:
    """A command line in which settings are named by --config."""
    file = tmp_path / "other.toml"
    file.write_text(f'{SOURCE}[handlers]\nload = ["handlers:router"]\n')
    found = typer.Context(get_group(app))
    found.params["config"] = file
    return found


def test_values_are_offered_by_settings_and_catalogue(context: typer.Context) -> None:
    assert completion.event_types(context, "order.clo") == ["order.closed"]
    assert completion.event_types(context, "paym")[0] == "payment"
    assert completion.channels(context, "1") == ["1688"]
    assert completion.origins(context, "sw") == ["sweep"]
    assert completion.sources(context, "") == ["s"]
    assert completion.handlers(context, "fetch") == ["fetch_tracking"]
    assert completion.targets(context, "handler:fetch") == ["handler:fetch_tracking"]


def test_settings_that_are_wrong_offer_nothing_and_say_nothing(
    context: typer.Context, capsys: pytest.CaptureFixture[str]
) -> None:
    context.params["config"].write_text("[nats\n")
    for offer in (completion.sources, completion.handlers, completion.causes, completion.replays):
        assert offer(context, "") == []
    assert capsys.readouterr() == ("", "")


async def test_causes_of_letters_are_offered_by_a_server_that_answers(
    context: typer.Context,
    nats_url: str,
    client: Client,
    subjects: Subjects,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(completion, "_PATIENCE_S", 60)
    monkeypatch.setenv("YIZHAN_NATS__URL", nats_url)
    monkeypatch.setenv("YIZHAN_NATS__SUBJECT_ROOT", subjects.root)
    before = await asyncio.to_thread(completion.causes, context, "")
    await client.jetstream().publish(subjects.dead("slow", CAUSE), b"{}", timeout=60)
    after = await asyncio.to_thread(completion.causes, context, "0a")
    assert (before, after) == ([], [CAUSE])
    for stream in (subjects.stream, subjects.dead_stream):
        await client.request(f"$JS.API.STREAM.DELETE.{stream}", b"", timeout=60)


def test_bash_gets_the_values_of_an_option(tmp_path: Path) -> None:
    asked = {"_YIZHAN_COMPLETE": "complete_bash", "COMP_CWORD": "4"}
    asked["COMP_WORDS"] = "yizhan dead list --type order.clo"
    ended = subprocess.run(
        [Path(sys.executable).parent / "yizhan"],
        cwd=tmp_path,
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == ["order.closed"]
