"""Which handler runs for which event. Performs no I/O.

    router = Router()

    @router.on(LogisticsShipped)
    async def tell(event: Event[LogisticsShipped], ctx: Context) -> None:
        ctx.log.info("shipped", parcels=len(event.data.parcels))

A handler's name is its function's name. It becomes the durable `handler-<name>`, which remembers
how far the handler has come: a renamed handler begins at the first event again.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, Unpack, overload

from pydantic import BaseModel

from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.settings import HandlersSettings
from receiver.settings.handlers import HANDLER_NAME
from receiver.worker.confirmation import check_confirmable
from receiver.worker.interface import Context, HandlerFunction, HandlerResult
from receiver.worker.options import DEFAULTS, GivenOptions, HandlerOptions, read_options
from schemas.events import MODEL_OF_TYPE, EventData

_M1 = TypeVar("_M1", bound=EventData)
_M2 = TypeVar("_M2", bound=EventData)
_M3 = TypeVar("_M3", bound=EventData)
_M4 = TypeVar("_M4", bound=EventData)
_M5 = TypeVar("_M5", bound=EventData)
ResultT = TypeVar("ResultT", bound=HandlerResult)


@dataclass(frozen=True, slots=True)
class Handler:
    """A function, the event models it is registered for, and what it is run with.

    `settings` are its own, once they are read. `off` says why it does not run; empty where it does.
    `code_version` are 12 hex digits, a digest of the file that it stands in, empty where there is
    none.
    """

    name: str
    function: HandlerFunction
    models: tuple[type[EventData], ...]
    needs_api: bool = False
    options: HandlerOptions = DEFAULTS
    settings: BaseModel | None = None
    off: str = ""
    code_version: str = ""

    @property
    def durable(self) -> str:
        """The name of its consumer."""
        return f"handler-{self.name}"

    @property
    def place(self) -> str:
        """Where it is defined: `handlers.tracking.fetch_tracking`."""
        return f"{self.function.__module__}.{getattr(self.function, '__qualname__', self.name)}"


class Registration(Protocol[_M1]):
    """The decorator that `Router.on` returns; the function stays what it is."""

    @overload
    def __call__(
        self, function: Callable[[Event[_M1], Context], Coroutine[Any, Any, ResultT]], /
    ) -> Callable[[Event[_M1], Context], Coroutine[Any, Any, ResultT]]: ...
    @overload
    def __call__(
        self, function: Callable[[Event[_M1], Context], ResultT], /
    ) -> Callable[[Event[_M1], Context], ResultT]: ...
    def __call__(self, function: Any, /) -> Any:
        """Register `function`; raises `ConfigurationError` where it cannot be a handler."""


class Router:
    """A set of handlers. Those of a router that `needs_api` run only where an API is configured.

    What they publish is then trusted as `requeried`, because they asked the platform.
    """

    def __init__(self, *, needs_api: bool = False) -> None:
        self._needs_api = needs_api
        self._handlers: tuple[Handler, ...] = ()

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """Every handler, in the order of registration."""
        return self._handlers

    @overload
    def on(self, model: type[_M1], /, **options: Unpack[GivenOptions]) -> Registration[_M1]: ...
    @overload
    def on(
        self, a: type[_M1], b: type[_M2], /, **options: Unpack[GivenOptions]
    ) -> Registration[_M1 | _M2]: ...
    @overload
    def on(
        self,
        a: type[_M1],
        b: type[_M2],
        c: type[_M3],
        /,
        **options: Unpack[GivenOptions],
    ) -> Registration[_M1 | _M2 | _M3]: ...
    @overload
    def on(
        self,
        a: type[_M1],
        b: type[_M2],
        c: type[_M3],
        d: type[_M4],
        /,
        **options: Unpack[GivenOptions],
    ) -> Registration[_M1 | _M2 | _M3 | _M4]: ...
    @overload
    def on(
        self,
        a: type[_M1],
        b: type[_M2],
        c: type[_M3],
        d: type[_M4],
        e: type[_M5],
        /,
        **options: Unpack[GivenOptions],
    ) -> Registration[_M1 | _M2 | _M3 | _M4 | _M5]: ...
    @overload
    def on(
        self,
        a: type[EventData],
        b: type[EventData],
        c: type[EventData],
        d: type[EventData],
        e: type[EventData],
        f: type[EventData],
        /,
        *more: type[EventData],
        **options: Unpack[GivenOptions],
    ) -> Registration[Any]: ...
    def on(self, *models: type[EventData], **options: Unpack[GivenOptions]) -> Registration[Any]:
        """Register the decorated function for every event of these models.

        `options` are those of `HandlerOptions`; `timeout` is seconds or a timedelta. Beyond five
        models the type checker no longer compares them with the function's.
        """
        _check_models(models)

        def register(function: Any, /) -> Any:
            _check_function(function)
            handler = Handler(
                name=function.__name__,
                function=function,
                models=tuple(dict.fromkeys(models)),
                needs_api=self._needs_api,
                options=read_options(options, function.__name__),
                code_version=_code_version(function.__module__),
            )
            check_confirmable(handler)
            self._handlers = unique((*self._handlers, handler))
            with contextlib.suppress(AttributeError):  # a bound method takes none
                function.__handler__ = handler
            return function

        return register

    def include(self, *others: Router) -> None:
        """Add the handlers that `others` hold by now, each with its own router's needs."""
        for other in others:
            if not isinstance(other, Router):
                raise ConfigurationError(
                    f"router.include() takes routers, not a {type(other).__name__}: "
                    "give it the module's `router`"
                )
            self._handlers = unique((*self._handlers, *other.handlers))


def handler_of(function: HandlerFunction) -> Handler | None:
    """What a function was last registered as by `Router.on`; None where it was not."""
    found = getattr(function, "__handler__", None)
    return found if isinstance(found, Handler) else None


def unique(handlers: Iterable[Handler]) -> tuple[Handler, ...]:
    """The handlers, each once; raises `ConfigurationError` where two share a name."""
    by_name: dict[str, Handler] = {}
    for handler in handlers:
        known = by_name.setdefault(handler.name, handler)
        if known is not handler:
            raise ConfigurationError(
                f"two handlers are named {handler.name!r} ({known.place} and {handler.place}): "
                "rename one, because the name is the handler's durable"
            )
    return tuple(by_name.values())


@lru_cache
def _code_version(module: str) -> str:
    """Looked at as the module is imported: the file may be changed while the process runs."""
    file = getattr(sys.modules.get(module), "__file__", None)
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12] if file else ""
    except OSError:  # such as a module within an archive
        return ""


def _check_models(models: Sequence[object]) -> None:
    for model in models or (None,):
        known = isinstance(model, type) and issubclass(model, EventData)
        if not known or MODEL_OF_TYPE.get(getattr(model, "event_type", "")) is not model:
            raise ConfigurationError(
                f"@router.on({getattr(model, '__name__', model) or ''}) is not given an event "
                "model: write one of yizhan.events, such as @router.on(OrderCreated)"
            )


def _check_function(function: Any) -> None:
    name = getattr(function, "__qualname__", repr(function))
    generates = inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
    if generates or not inspect.isroutine(function):
        raise ConfigurationError(
            f"the handler {name} is no function that returns: write `async def` or `def`, "
            "and return several events as a list"
        )
    parameters = inspect.signature(function).parameters
    positional = [p for p in parameters.values() if p.kind in _POSITIONAL]
    if not len(parameters) == len(positional) == len(("event", "ctx")):
        raise ConfigurationError(
            f"the handler {name} takes {len(parameters)} parameters: "
            "write exactly two, (event, ctx); nothing else is passed"
        )
    if function.__name__ in HandlersSettings.model_fields:
        raise ConfigurationError(
            f"the handler {name} is named as a setting of [handlers] is: rename it, "
            "since [handlers.NAME] holds a handler's settings"
        )
    if not re.fullmatch(HANDLER_NAME, function.__name__):
        raise ConfigurationError(
            f"the handler {name} cannot lend its name to a durable: "
            "use at most 64 ASCII letters, digits and '_'"
        )


_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
