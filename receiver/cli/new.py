"""`yizhan new`: files to begin with."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from receiver.cli.app import BUILD, ConfigOption, JsonOption, app, examples
from receiver.cli.desk import Desk
from receiver.cli.process import refusing
from receiver.errors import ConfigurationError
from receiver.settings import HandlersSettings, development
from receiver.settings.handlers import HANDLER_NAME

_MODULE: Final = '''\
"""Handlers for new orders."""

from __future__ import annotations

from yizhan import Context, Event, Router
from yizhan.events import OrderCreated

router = Router()


@router.on(OrderCreated)
async def {name}(event: Event[OrderCreated], ctx: Context) -> None:
    """Runs for each new order, and again where it raises; below `due` it acts once."""
    async with ctx.once("greet") as effect:
        if effect.due:
            ctx.log.info("order_seen", order=event.order_id)
'''
_TEST: Final = '''\
"""What `{name}` does, as a worker runs it, without NATS."""

from __future__ import annotations

import asyncio

from handlers_{name} import {name}
from yizhan.events import OrderCreated
from yizhan.testing import Kit, make_event

CREATED = make_event(OrderCreated(channel="1688", order_id="1"))


async def run_twice() -> None:
    kit = Kit({name})
    first, again = await kit.run(CREATED), await kit.retransmit(CREATED)
    assert (first.outcome, again.outcome) == ("done", "done"), first.error
    assert [line["event"] for line in first.logs] == ["order_seen"]
    assert list(again.logs) == []


def test_a_new_order_is_seen_once() -> None:
    asyncio.run(run_twice())
'''
_TAKEN: Final = frozenset(
    {"CREATED", "Context", "Event", "Kit", "OrderCreated", "Router"}
    | {"asyncio", "make_event", "router", "run_twice"}
)
"""What the two files call something else."""

new = typer.Typer(no_args_is_help=True)
app.add_typer(new, name="new", rich_help_panel=BUILD)


@new.callback()
def _new() -> None:
    """Write files to begin with."""


@new.command(epilog=examples("yizhan new handler greet_buyer"))
def handler(
    name: Annotated[str, typer.Argument(help="The handler's name.", metavar="NAME")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a module with a handler, and its test, into the working directory.

    Overwrites nothing. Prints what to add to the settings.
    """
    with refusing():
        _check_name(name)
        module, test = Path(f"handlers_{name}.py"), Path(f"test_handlers_{name}.py")
        _write({module: _MODULE.format(name=name), test: _TEST.format(name=name)})
    load, testing, writing = (
        _load(config, module.stem),
        f"python -m pytest {test}",
        "yizhan up --simulate --reload",
    )
    lines = (
        f"{module} and {test} written. Next:",
        f"  in the settings   [handlers]\n{' ' * 20}load = {json.dumps(load)}",
        f"  to test it        {testing}",
        f"  while you write   {writing}",
    )
    files = [str(module), str(test)]
    Desk(True, as_json).done("\n".join(lines), files=files, load=load, next=[testing, writing])


def _check_name(name: str) -> None:
    if not re.fullmatch(HANDLER_NAME, name) or not name.isidentifier() or keyword.iskeyword(name):
        raise ConfigurationError(
            f"NAME {name!r}: write the name of a function, such as greet_buyer: "
            "at most 64 ASCII letters, digits and '_'"
        )
    if name in HandlersSettings.model_fields:
        raise ConfigurationError(f"NAME {name}: is a setting of [handlers]: take another name")
    if name in _TAKEN or name.startswith("test"):
        raise ConfigurationError(f"NAME {name}: means something else there: take another name")


def _write(files: Mapping[Path, str]) -> None:
    """Both or, where one is there already, none."""
    if there := [str(file) for file in files if file.exists()]:
        raise ConfigurationError(
            f"{' and '.join(there)}: exists: take another name, or move it away"
        )
    for file, text in files.items():
        try:
            with file.open("x", encoding="utf-8") as opened:
                opened.write(text)
        except OSError as error:
            raise ConfigurationError(f"{file}: cannot be written: {error.strerror}") from error


def _load(config: Path | None, module: str) -> list[str]:
    """What `handlers.load` is to be: as it is, and the new module behind it."""
    try:
        settings, _ = development.load(config, keep=False)
        loaded = settings.handlers.load
    except ConfigurationError:  # which hinders a start, and not this
        loaded = HandlersSettings().load
    return [*loaded, f"{module}:router"]
