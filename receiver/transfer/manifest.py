"""The first and the last line of an export: what it is, and that it is whole. No I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from receiver.errors import ConfigurationError, DecodingError
from receiver.transfer.kinds import Kind

FORMAT: Final = 1
"""Of the lines; a reader refuses a newer one."""


class ExportedStream(BaseModel):
    """A stream as an export found it. `created` distinguishes it from another of its name."""

    model_config = ConfigDict(frozen=True)

    name: str
    created: str
    first_seq: int
    last_seq: int


class ExportedHandler(BaseModel):
    """How far a handler was: `undone` messages from `seq` on it had not finished."""

    model_config = ConfigDict(frozen=True)

    name: str
    seq: int
    undone: int


class Manifest(BaseModel):
    """The first line of an export."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    product: str
    root: str
    made_at: AwareDatetime
    what: tuple[Kind, ...]
    filters: dict[str, str] = {}
    streams: tuple[ExportedStream, ...] = ()
    handlers: tuple[ExportedHandler, ...] = ()

    def encoded(self) -> bytes:
        """As a line."""
        return b'{"yizhan_export":%b}\n' % self.model_dump_json().encode()

    def created(self, stream: str) -> str:
        """When a stream of it was made; empty for one that it does not name."""
        return next((one.created for one in self.streams if one.name == stream), "")


class Ending(BaseModel):
    """The last line of an export: `lines` between it and the first, how many of each kind, and the
    SHA-256 of every byte before it, uncompressed.
    """

    model_config = ConfigDict(frozen=True)

    lines: int
    counts: dict[str, int]
    sha256: str
    ended_at: datetime | None = None

    def encoded(self) -> bytes:
        """As a line."""
        return b'{"yizhan_export_end":%b}\n' % self.model_dump_json(exclude_none=True).encode()


ENDING: Final = b'{"yizhan_export_end":'
"""What the last line begins with."""


class _First(BaseModel):
    found: Manifest = Field(alias="yizhan_export")


class _Format(BaseModel):
    format: int


class _FirstOfAny(BaseModel):
    found: _Format = Field(alias="yizhan_export")


class _Last(BaseModel):
    found: Ending = Field(alias="yizhan_export_end")


def read_manifest(raw: bytes) -> Manifest:
    """The manifest of a first line; raises `ConfigurationError` for anything else, and for one of a
    newer format.
    """
    try:
        version = _FirstOfAny.model_validate_json(raw).found.format
        if version > FORMAT:
            raise ConfigurationError(
                f"is an export of format {version}, and this version reads {FORMAT}: "
                "use the version of Yizhan that wrote it, or a newer one"
            )
        return _First.model_validate_json(raw).found
    except ValidationError:
        raise ConfigurationError("is no export: its first line is no manifest") from None


def read_ending(raw: bytes) -> Ending:
    """The ending of a last line; raises `DecodingError`."""
    try:
        return _Last.model_validate_json(raw).found
    except ValidationError:
        raise DecodingError("the last line cannot be read") from None
