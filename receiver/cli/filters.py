"""The options that every command that selects shares, and the filters that they make.

A command names those that select something in what it reads, and takes what they say:

    @app.command()
    @selecting("since", "until", "type")
    def tail(filters: Filters, config: ConfigOption = None) -> None: ...
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final, get_type_hints

import typer

from receiver.cli.completion import OFFERS
from receiver.cli.process import refusing
from receiver.operations.selecting import FIELDS, chosen

Command = Callable[..., None]

_HELP: Final = {
    "since": "From when on: an age (30m, 2h, 7d), a date (2026-01-31, in China) or an RFC 3339 "
    "time.",
    "until": "Up to when; as --since.",
    "type": "A type (payment.succeeded) or a domain (payment).",
    "channel": "taobao or 1688.",
    "order": "An order, by its id.",
    "source": "A source of the settings.",
    "handler": "A handler's name.",
    "cause": "A cause's fingerprint, or the type of its error (ValueError).",
    "fact": "A fact id (ce-factid).",
    "origin": "push, handler, sweep, reparse or replay.",
    "limit": "How many, the latest.",
}
"""Each option and its help; the order is that of `--help`."""


def selecting(*words: str, limit: int | None = None) -> Callable[[Command], Command]:
    """Give a command the options `words`, such as `since`; it takes what they say as `filters`.

    They stand in its help where `filters` stands among its parameters. `limit` is what `--limit`
    is unless it is given. A wrong value ends the process with its sentence and code 2.
    """
    options = [_option(word, limit if word == "limit" else None) for word in _HELP if word in words]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def selected(**given: Any) -> None:
            values = {option.name: given.pop(option.name) for option in options}
            with refusing():
                filters = chosen(**values)
            command(filters=filters, **given)

        signature = _signature(command, options)
        selected.__signature__ = signature  # type: ignore[attr-defined]
        selected.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        return selected

    return decorate


def _option(word: str, default: int | None) -> inspect.Parameter:
    option = typer.Option(
        f"--{word}",
        help=_HELP[word],
        show_default=default is not None,
        autocompletion=OFFERS.get(word),
    )
    kind = int if word == "limit" else str
    return inspect.Parameter(
        FIELDS[word],
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind | None, option],
    )


def _signature(command: Command, options: list[inspect.Parameter]) -> inspect.Signature:
    """What typer reads the options and arguments of a command from."""
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        keyword = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
        parameters += options if name == "filters" else [keyword]
    return inspect.Signature(parameters, return_annotation=None)
