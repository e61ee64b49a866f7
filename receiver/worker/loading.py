"""Finding handlers: import strings of the settings, and what installed packages plug in.

A package plugs in with an entry point of the group `yizhan.handlers`:

    [project.entry-points."yizhan.handlers"]
    mine = "my_package.handlers:router"
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from receiver.errors import ConfigurationError
from receiver.worker.routing import Handler, Router, unique

OUR_PACKAGES: Final = frozenset({"handlers", "receiver", "schemas", "yizhan"})
ENTRY_POINT_GROUP: Final = "yizhan.handlers"


def load_handlers(load: Sequence[str]) -> list[Handler]:
    """The handlers of the routers that `load` names (`module:router`) and of every plug-in.

    A handler that is reached twice is loaded once. Imports the modules, also from the working
    directory. Raises `ConfigurationError` where a name leads to no router, and where a module's own
    code fails, with the file and line.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # a console script, unlike `python -m`, does not do it
    return list(unique(handler for router in _routers(load) for handler in router.handlers))


def _routers(load: Sequence[str]) -> Iterator[Router]:
    for text in load:
        yield _router(text, f"handlers.load: {text!r}")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        yield _router(f"{point.module}:{point.attr}", f"the plug-in {point.name!r} ({point.value})")


def _router(text: str, origin: str) -> Router:
    module_name, _, attribute = text.replace(" ", "").partition(":")
    if not module_name or not attribute or module_name.startswith("."):
        raise ConfigurationError(f"{origin}: write module:attribute, such as handlers:router")
    found: Any = _module(module_name, origin)
    for name in attribute.split("."):
        if not hasattr(found, name):
            missing = f"{module_name} has no {attribute!r}: define it there, or name the module"
            raise ConfigurationError(f"{origin}: {_hidden(module_name) or f'{missing} that does'}")
        found = getattr(found, name)
    if not isinstance(found, Router):
        raise ConfigurationError(
            f"{origin}: it is a {type(found).__name__}, not a Router: "
            "name the router, not a handler or its module"
        )
    return found


def _module(name: str, origin: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            if hidden := _hidden(name):
                raise ConfigurationError(f"{origin}: {hidden}") from error
            raise ConfigurationError(
                f"{origin}: there is no module {error.name!r}: "
                "install it, or start in the directory that holds it"
            ) from error
        if hidden := _hidden(error.name or ""):
            raise ConfigurationError(
                f"{origin}: {name} imports {error.name!r}: {hidden}"
            ) from error
        raise ConfigurationError(
            f"{origin}: {name} imports {error.name!r}, which is not there: install it"
        ) from error
    except (ImportError, SyntaxError) as error:
        raise ConfigurationError(f"{origin}: {name} cannot be imported: {error}") from error
    except ConfigurationError:
        raise
    except Exception as error:  # a user's module may raise anything as it is imported
        raise ConfigurationError(
            f"{origin}: {name} cannot be imported: {type(error).__name__}: {error} "
            f"({_last_line(error)}): correct it there"
        ) from error


def _hidden(name: str) -> str:
    """What to do where a module of that name lies on the path and one of our packages is found in
    its place; else empty.
    """
    top = name.partition(".")[0]
    if top not in OUR_PACKAGES:
        return ""
    ours = Path(str(importlib.import_module(top).__file__)).parent
    for entry in map(Path, sys.path):
        for other in (entry / top, entry / f"{top}.py"):
            if other.exists() and other.resolve() != ours.resolve():
                return (
                    f"{other} is hidden by Yizhan's own package {top!r}: "
                    f"rename yours, for example to my_{top}"
                )
    return ""


def _last_line(error: Exception) -> str:
    """Where in a file the error arose."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}"
