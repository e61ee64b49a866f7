"""Finding handlers by import string and by entry point."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.errors import ConfigurationError
from receiver.worker.loading import load_handlers

_ROUTER = """
from yizhan import Router
from yizhan.events import OrderCreated

router = Router()

@router.on(OrderCreated)
async def {name}(event, ctx):
    pass
"""


class Desk:
    """A directory whose modules can be imported while the test runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, name: str, text: str) -> None:
        (self.directory / f"{name}.py").write_text(text, encoding="utf-8")

    def plug_in(self, value: str) -> None:
        """Install a distribution that plugs `value` in."""
        info = self.directory / "plugged-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[yizhan.handlers]\nmine = {value}\n")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield Desk(tmp_path)
    for name in set(sys.modules) - known:
        del sys.modules[name]


def _names(*load: str) -> list[str]:
    return [handler.name for handler in load_handlers(load)]


def test_our_own_handlers_are_found() -> None:
    assert "fetch_tracking" in _names("handlers:router")


def test_a_router_in_the_working_directory_is_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(desk.directory)])
    monkeypatch.chdir(desk.directory)
    desk.write("mine_here", _ROUTER.format(name="note"))
    assert "note" in _names("mine_here:router")


def test_a_plug_in_is_found_without_being_named(desk: Desk) -> None:
    desk.write("mine_plugged", _ROUTER.format(name="note"))
    desk.plug_in("mine_plugged:router")
    assert "note" in _names()


def test_what_is_named_and_plugged_in_is_loaded_once(desk: Desk) -> None:
    desk.write("mine_twice", _ROUTER.format(name="note"))
    desk.plug_in("mine_twice:router")
    assert _names("mine_twice:router", "mine_twice:router").count("note") == 1


def test_a_router_inside_something_is_found(desk: Desk) -> None:
    desk.write("mine_nested", f"{_ROUTER.format(name='note')}\nclass Plugin:\n    inner = router\n")
    assert "note" in _names("mine_nested:Plugin.inner")


def test_two_modules_with_one_handlers_name_are_refused(desk: Desk) -> None:
    for module in ("mine_one", "mine_two"):
        desk.write(module, _ROUTER.format(name="note"))
    with pytest.raises(ConfigurationError, match=r"mine_one\.note and mine_two\.note.*rename one"):
        load_handlers(["mine_one:router", "mine_two:router"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("handlers", r"'handlers': write module:attribute, such as handlers:router"),
        (":router", "write module:attribute"),
        ("no_such_module_here:router", "no module 'no_such_module_here': install it"),
        ("handlers.missing:router", r"no module 'handlers\.missing'"),
        ("handlers:routers", "handlers has no 'routers': define it there"),
        ("handlers:tracking", "is a module, not a Router"),
        ("handlers.tracking:fetch_tracking", "is a function, not a Router"),
        (".handlers:router", "write module:attribute"),
    ],
)
def test_a_name_that_leads_to_no_router_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        load_handlers([text])
    assert str(caught.value).startswith("handlers.load: ")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import not_installed_here", "imports 'not_installed_here', which is not there"),
        ("from receiver.worker.routing import Ruoter", "cannot be imported: .*Ruoter"),
        ("def router(:", "cannot be imported: invalid syntax"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named(desk: Desk, text: str, sentence: str) -> None:
    desk.write("mine_broken", text)
    with pytest.raises(ConfigurationError, match=sentence):
        load_handlers(["mine_broken:router"])


def test_a_module_whose_code_fails_is_named_with_the_line(desk: Desk) -> None:
    desk.write("mine_failing", "x = 1\nx / 0\n")
    with pytest.raises(ConfigurationError, match=r"ZeroDivisionError: .*\(mine_failing.py, line 2"):
        load_handlers(["mine_failing:router"])


def hide(desk: Desk, package: str) -> None:
    (desk.directory / package).mkdir()
    (desk.directory / package / "mine.py").write_text(_ROUTER.format(name="note"))


@pytest.mark.parametrize("package", ["schemas", "handlers", "receiver", "yizhan"])
def test_a_package_that_ours_hides_is_named(desk: Desk, package: str) -> None:
    importlib.import_module(package)
    hide(desk, package)
    with pytest.raises(ConfigurationError, match=f"hidden by Yizhan's own package '{package}': re"):
        load_handlers([f"{package}.mine:router"])


def test_a_module_that_imports_from_a_hidden_package_is_told_so(desk: Desk) -> None:
    hide(desk, "schemas")
    desk.write("mine_beside", "from schemas.mine import router")
    with pytest.raises(ConfigurationError, match=r"mine_beside imports 'schemas.mine': .* hidden"):
        load_handlers(["mine_beside:router"])


def test_a_router_that_is_in_the_hidden_package_is_told_so(desk: Desk) -> None:
    importlib.import_module("handlers")
    hide(desk, "handlers")
    with pytest.raises(ConfigurationError, match="hidden by Yizhan's own package 'handlers'"):
        load_handlers(["handlers:orders"])


def test_a_plug_in_that_is_broken_is_named(desk: Desk) -> None:
    desk.plug_in("gone_module:router")
    with pytest.raises(ConfigurationError, match=r"the plug-in 'mine' \(gone_module:router\)"):
        load_handlers([])


def test_misuse_in_a_module_is_reported_unchanged(desk: Desk) -> None:
    desk.write("mine_misused", _ROUTER.format(name="note").replace("event, ctx", "event"))
    with pytest.raises(ConfigurationError, match="write exactly two"):
        load_handlers(["mine_misused:router"])
