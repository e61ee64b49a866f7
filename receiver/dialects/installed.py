"""Every dialect there is: ours, and those that installed packages offer. Imports their modules."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from receiver.dialects import DIALECTS
from receiver.dialects.dialect import Dialect
from receiver.errors import ConfigurationError
from receiver.settings import DIALECT_GROUP


def installed_dialects() -> Mapping[str, Dialect]:
    """Each by its name in the settings; raises `ConfigurationError` where a package offers what is
    no `Dialect`, what cannot be imported, or a name that is taken.
    """
    found = dict(DIALECTS)
    for point in entry_points(group=DIALECT_GROUP):
        if point.name in found:
            raise ConfigurationError(f"{_place(point)}: the name is taken: give it another one")
        found[point.name] = _loaded(point)
    return found


def _loaded(point: EntryPoint) -> Dialect:
    try:
        dialect = point.load()
    except Exception as error:  # a foreign module may raise anything as it is imported
        raise ConfigurationError(
            f"{_place(point)}: cannot be imported: {type(error).__name__}: {error}: "
            "correct or remove the package"
        ) from error
    if not isinstance(dialect, Dialect):
        raise ConfigurationError(
            f"{_place(point)}: is a {type(dialect).__name__}, not a Dialect: "
            "name the Dialect that the module makes"
        )
    return dialect


def _place(point: EntryPoint) -> str:
    return f"the dialect {point.name!r} ({point.value})"
