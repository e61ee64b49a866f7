"""Where a replay can go besides a handler: plain NATS subjects, or a file of JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.errors import ConfigurationError, YizhanError
from receiver.event import Event
from receiver.private_files import open_private
from schemas.events import EventData


class FileSink:
    """Writes CloudEvents in JSON format, one a line; `-` is standard output.

    The lines gather in a file beside, which takes the name at the end: a run that is cut off
    leaves no half file. Its owner alone may read it.
    """

    def __init__(self, path: Path, *, stdout: TextIO, force: bool = False) -> None:
        self._path = path
        self._force = force
        self._to_stdout = str(path) == "-"
        self._out = stdout
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")

    def check(self) -> None:
        """Raise `ConfigurationError` where the file is there or cannot be; creates nothing."""
        if self._to_stdout:
            return
        if self._path.is_dir():
            raise ConfigurationError(f"{self._path}: is a directory: name a file in it")
        if self._path.exists() and not self._force:
            raise ConfigurationError(f"{self._path} exists: name another file, or give --force")
        if not self._path.parent.is_dir():
            raise ConfigurationError(
                f"{self._path}: cannot be written: there is no directory {self._path.parent}: "
                "create it, or name another file"
            )

    def __enter__(self) -> Self:
        if self._to_stdout:
            return self
        self.check()
        try:
            self._out = open_private(self._partial)
        except OSError as error:
            raise ConfigurationError(
                f"{self._path}: cannot be written: {error.strerror}: name another file"
            ) from error
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._to_stdout:
            self._out.flush()
            return
        try:
            self._out.close()
            if exc_type is None:
                self._partial.replace(self._path)
        except OSError as error:
            raise self._cannot(error) from error
        finally:
            self._partial.unlink(missing_ok=True)

    async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
        """See `Sink.put`."""
        del event
        line = structured(stored.headers, stored.body) + "\n"
        try:
            self._out.write(line)
        except OSError as error:
            if self._to_stdout:
                raise
            raise self._cannot(error) from error
        return ""

    def _cannot(self, error: OSError) -> YizhanError:
        return YizhanError(f"{self._path}: cannot be written: {error.strerror}")


def structured(headers: Mapping[str, str], body: bytes) -> str:
    """An event message as CloudEvents JSON (structured mode), on one line; its data as stored."""
    attributes = {
        attribute: decode_header(text)
        for name, text in headers.items()
        if (attribute := _attribute(name))
    }
    head = json.dumps(attributes, ensure_ascii=False)[:-1]
    head = head.encode("utf-8", "backslashreplace").decode()  # a lone surrogate as JSON writes it
    data = body.decode().replace("\n", " ").replace("\r", " ")  # no string of JSON holds these
    return f'{head}, "data": {data}}}'


@lru_cache(maxsize=256)
def _attribute(header: str) -> str:
    """The name in JSON of what a header holds; empty where that is no attribute."""
    name = header.lower()
    return name.removeprefix("ce-") if name.startswith("ce-") or name == "traceparent" else ""
