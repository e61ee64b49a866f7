"""What we rely on of uvicorn is listed, guarded by a test, and there in the uvicorn installed."""

from __future__ import annotations

import inspect
import re
import signal
from pathlib import Path
from types import FunctionType

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from receiver.web import connection, server
from receiver.web.connection import serial
from receiver.web.connection.protocol import BoundedProtocol
from tests.web.raw import running

THEIRS: dict[str, type] = {
    kind.__name__: kind
    for kind in (HttpToolsProtocol, RequestResponseCycle, FlowControl, ServerState, uvicorn.Server)
}
OURS = (BoundedProtocol, serial.SerialProtocol, serial._Flow, server._Server)
_ROW = re.compile(r"^(\w+)\.(\w+)(?:\((.*)\))?\n    (\w+\.py): (\w+)$", re.MULTILINE)
HOOKS: list[tuple[str, ...]] = _ROW.findall(inspect.cleandoc(connection.__doc__ or ""))
METHODS = {(kind, name): parameters for kind, name, parameters, _, _ in HOOKS}


def is_method(kind: str, name: str) -> bool:
    return isinstance(vars(THEIRS[kind]).get(name), FunctionType)


def names_used_in(kind: type) -> set[str]:
    """The attributes that the methods of a class read or write."""
    methods = [member for member in vars(kind).values() if isinstance(member, FunctionType)]
    return {name for method in methods for name in method.__code__.co_names}


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_uvicorn_has_the_hook_in_the_form_that_is_relied_on(kind: str, name: str) -> None:
    if not is_method(kind, name):
        assert name in names_used_in(THEIRS[kind])
        return
    _, *parameters = inspect.signature(vars(THEIRS[kind])[name]).parameters
    assert ", ".join(parameters) == METHODS[kind, name]


@pytest.mark.parametrize("ours", OURS, ids=lambda kind: kind.__name__)
def test_every_method_of_uvicorn_that_is_overridden_is_listed(ours: type) -> None:
    listed = set(METHODS)
    overridden = {
        (theirs.__name__, name)
        for theirs in ours.__mro__
        if theirs.__module__.startswith("uvicorn.")
        for name in vars(ours)
        if is_method(theirs.__name__, name)
    }
    assert overridden
    assert overridden <= listed


@pytest.mark.parametrize(("file", "test"), sorted({row[3:] for row in HOOKS}))
def test_the_test_that_guards_a_hook_exists(file: str, test: str) -> None:
    assert f"def {test}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")


async def test_the_signals_are_left_to_the_process() -> None:
    ours = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with running():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == ours


def test_every_row_of_the_table_is_read() -> None:
    assert len(HOOKS) == (connection.__doc__ or "").count("\n    ") > len(THEIRS)
