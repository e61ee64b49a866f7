"""`yizhan init`: a file that is valid as it stands, private, and never written over."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from receiver.cli.init import TEMPLATE
from receiver.settings import load_settings
from tests.cli.conftest import Yizhan

FILE = "yizhan.toml"


async def test_what_it_writes_is_private_and_passes_check(yizhan: Yizhan) -> None:
    ended = await yizhan.anew.run("init", "--json")
    assert (ended.code, json.loads(ended.out)["file"]) == (0, FILE)
    file = yizhan.directory / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    checked = await yizhan.run("check")
    assert (checked.code, "warn" in checked.out) == (0, False)
    assert "1 source" in checked.out


async def test_a_file_that_is_there_is_kept_unless_forced(yizhan: Yizhan) -> None:
    file = yizhan.directory / FILE
    file.write_text("# mine\n")
    refused = await yizhan.run("init")
    assert (refused.code, file.read_text()) == (2, "# mine\n")
    assert "--force" in refused.err
    assert (await yizhan.run("init", "--force")).code == 0
    assert "[[sources]]" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


async def test_each_file_has_a_token_of_its_own(yizhan: Yizhan) -> None:
    for name in ("one.toml", "other.toml"):
        assert (await yizhan.run("init", name)).code == 0
    tokens = {
        token.get_secret_value()
        for name in ("one.toml", "other.toml")
        if (token := load_settings(yizhan.directory / name).sources[0].path_token)
    }
    assert len(tokens) == 2


def test_every_line_that_is_commented_out_is_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = TEMPLATE.format(path_token="0" * 32).splitlines()
    offered = [line for line in lines if re.match(r"# (\w+ = |\[\w+\]$)", line)]
    assert len(offered) > 10
    mounted = tmp_path / "mounted"
    mounted.write_text("0123456789")
    text = "\n".join(line[2:] if line in offered else line for line in lines)
    text = text.replace('load = ["handlers:router"]\n', "", 1)
    text = re.sub(r"/run/secrets/\w+", str(mounted), text)
    file = tmp_path / FILE
    file.write_text(text)
    monkeypatch.chdir(tmp_path)
    settings = load_settings(file)
    assert settings.api is not None
    assert len(settings.sources[0].secrets) == 2
