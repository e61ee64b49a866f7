"""What the pages show runs as it stands, and what they list is what the code has.

Not run, because they need what a test machine has not: `docker`, `kubectl`, root's `systemctl` and
`useradd`, and proxies with public names (the files of deploy/ are validated in tests/deploy). Of
every `yizhan` command that a page shows the options are compared with the real ones.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from receiver.bus.subjects import Subjects
from receiver.cli.app import COMMANDS, app, load
from receiver.contract.asyncapi import event_headers
from tests.every import every
from tests.pages import PAGES, ROOT, anchors, fault_of, links

PYTHON_RUN_BY = {
    "README.md": "tests/test_readme.py",
    "adding-a-dialect.md": "tests/dialects/test_installed.py",
    "api.md": "tests/contract/test_api_page.py",
    "api-client.md": "tests/client/test_guide.py",
    "first-hour.md": "tests/test_first_hour.py",
    "handlers.md": "tests/test_handlers_page.py",
}
load(COMMANDS)
COMMAND = typer.main.get_group(app)
SUBJECTS = (ROOT / "docs" / "subjects.md").read_text(encoding="utf-8")


def blocks(page: Path, *kinds: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"```(?:{'|'.join(kinds)})\n(.*?)```", text, re.DOTALL)


def commands() -> set[str]:
    """Every `yizhan` command that a page shows, without what follows a pipe."""
    known = "|".join(COMMAND.commands)
    return {
        " ".join(shlex.split(shown, comments=True))
        for page in PAGES
        for block in blocks(page, "console", "sh", "bash")
        for shown in re.findall(rf"\byizhan ((?:{known})\b[^|;)\n]*)", block)
    }


def test_every_page_with_python_is_run_by_a_test() -> None:
    shown = {page.name for page in PAGES if blocks(page, "python")}
    assert shown == PYTHON_RUN_BY.keys()


@every(sorted(commands()))
def test_a_command_that_is_shown_has_these_options(shown: str) -> None:
    words = shown.split(" ")
    COMMAND.commands[words[0]].make_context(words[0], words[1:])


def test_commands_are_found_on_the_pages() -> None:
    assert {"url --operator", "init /etc/yizhan/yizhan.toml", "demo --orders 20"} <= commands()


@every(PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    targets = links(page.read_text(encoding="utf-8"))
    faults = [
        fault_of(target if target[0] != "#" else page.name + target, page.parent)
        for target in targets
    ]
    assert [fault for fault in faults if fault] == []


def test_links_are_found_outside_code_alone() -> None:
    page = "[a](b#c)\n```\n[x](y)\n```\n`[x](y)` [d](https://e) [f](#g)"
    assert links(page) == ["b#c", "#g"]


def test_an_anchor_is_what_github_makes_of_a_heading() -> None:
    page = "# A `b_c`, [d](e) - F!\n## Same\n```\n# none\n```\n### Same\n"
    assert anchors(page) == {"a-b_c-d---f", "same", "same-1"}


def test_the_table_of_imports_is_that_of_the_package() -> None:
    text = (ROOT / "docs" / "handlers.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(yizhan[.\w]*)` \|", text, re.MULTILINE))
    files = {file.stem for file in (ROOT / "yizhan").glob("*.py")} - {"__init__"}
    assert named == {"yizhan"} | {f"yizhan.{stem}" for stem in files}


def test_every_header_is_on_the_page_of_subjects() -> None:
    source = "".join(
        file.read_text(encoding="utf-8")
        for name in ("headers", "codec", "callback_codec", "dead_letters")
        for file in [ROOT / "receiver" / "bus" / f"{name}.py"]
    )
    ours = set(re.findall(r"""["'{}\n](yizhan-[a-z]+)\b""", source))
    assert len(ours) > 15
    written = set(re.findall(r"`([\w-]+)`", SUBJECTS))
    assert ours <= written
    assert {name for name in written if name.startswith("yizhan-")} == ours
    assert set(event_headers()["properties"]) <= written


def test_every_subject_is_on_the_page_of_subjects() -> None:
    subjects = Subjects()
    made = [
        subjects.raw("<source>"),
        subjects.quarantine("<source>"),
        subjects.nonce("<source>", "<digest>"),
        subjects.dead("<handler>", "<fingerprint>"),
        subjects.run("<handler>", "yizhan.events.<channel>.order.created.<order id>"),
        subjects.schedule("retry", "<handler>", "<channel>", "<order id>", "<name>"),
        subjects.schedule("timer", "<handler>", "<channel>", "<order id>", "<name>"),
        subjects.schedule("coalesce", "<handler>", "<channel>", "<order id>", ""),
        subjects.schedule("cancel", "<handler>", "<channel>", "<order id>", "<name>"),
        subjects.due("<handler>", "<channel>", "<order id>"),
        subjects.audit("<verb>"),
        subjects.all_workers,
        subjects.state("effect.<handler>.<fact id>.<name>"),
        subjects.broadcast,
        subjects.all_input,
    ]
    assert [subject for subject in made if f"| `{subject}` |" not in SUBJECTS] == []
    assert {
        f"`{s}`"
        for s in (
            subjects.stream,
            subjects.dead_stream,
            subjects.runs_stream,
            subjects.audit_stream,
            subjects.workers_stream,
            subjects.state_stream,
        )
    } <= set(re.findall(r"`\w+`", SUBJECTS))


def test_systemd_takes_the_unit() -> None:
    unit = ROOT / "deploy" / "systemd" / "yizhan.service"
    text = unit.read_text(encoding="utf-8")
    assert re.search(r"^ExecStart=/opt/yizhan/bin/yizhan up ", text, re.MULTILINE)
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    said = subprocess.run([analyze, "verify", unit], check=False, capture_output=True, text=True)
    faults = [line for line in said.stderr.splitlines() if "yizhan.service" in line]
    assert [line for line in faults if "is not executable" not in line] == []
