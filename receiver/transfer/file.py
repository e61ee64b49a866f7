"""The file of an export: lines, compressed with Zstandard, hashed, and whole or not there."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, NamedTuple, Protocol, Self, cast

import zstandard

from receiver.errors import ConfigurationError, DecodingError, YizhanError
from receiver.transfer.manifest import ENDING, Ending, Manifest, read_ending, read_manifest

STANDARD: Final = "-"
"""The name of standard input and output."""
_LEVEL: Final = 3
_READ: Final = 256 * 1024
MAX_LINE: Final = 256 * 1024 * 1024
"""Bytes of a line; a message has 64 MiB at most."""


class ExportWriter:
    """Writes an export. It gathers beside its file, which takes the name once it is `finish`ed:
    what is cut off leaves no half file. Its owner alone may read it.
    """

    def __init__(self, path: Path, *, stdout: BinaryIO, force: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._path = path
        self._stdout = stdout
        self._force = force
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._packed = zstandard.ZstdCompressor(level=_LEVEL).compressobj()

    def check(self) -> None:
        """Raise `ConfigurationError` where the file is there or cannot be; creates nothing."""
        path = self._path
        if str(path) == STANDARD:
            if self._stdout.isatty():
                raise ConfigurationError("-: standard output is a terminal: name a file")
        elif path.is_dir():
            raise ConfigurationError(f"{path}: is a directory: name a file in it")
        elif path.exists() and not self._force:
            raise ConfigurationError(f"{path} exists: name another file, or give --force")
        elif not path.parent.is_dir():
            raise ConfigurationError(
                f"{path}: cannot be written: there is no directory {path.parent}: create it, or "
                "name another file"
            )

    def __enter__(self) -> Self:
        self.check()
        if str(self._path) == STANDARD:
            self._file = self._stdout
            return self
        try:
            self._partial.unlink(missing_ok=True)
            descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise self._cannot(error) from error
        self._file = os.fdopen(descriptor, "wb")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None and self._file is not self._stdout:
            try:
                self._file.close()
            except OSError:
                """What could not be written is given up with the file."""
            self._partial.unlink(missing_ok=True)

    def begin(self, manifest: Manifest) -> None:
        """Write the first line."""
        self._write(manifest.encoded())

    def put(self, kind: str, line: bytes) -> None:
        """Write one line; raises `YizhanError` where it cannot be."""
        self.counts[kind] += 1
        self._write(line)

    def finish(self) -> None:
        """Write the last line, and give the file its name; raises `YizhanError`."""
        ending = Ending(
            lines=self.counts.total(), counts=dict(self.counts), sha256=self._hash.hexdigest()
        )
        self._write(ending.encoded())
        file = self._file
        assert file is not None
        try:
            file.write(self._packed.flush())
            file.flush()
            if file is not self._stdout:
                os.fsync(file.fileno())
                file.close()
                self._partial.replace(self._path)
        except OSError as error:
            self._raise(error)

    def _write(self, line: bytes) -> None:
        assert self._file is not None
        self._hash.update(line)
        try:
            self._file.write(self._packed.compress(line))
        except OSError as error:
            self._raise(error)

    def _raise(self, error: OSError) -> None:
        if self._file is self._stdout:  # such as a pipe whose reader has gone
            raise error
        raise YizhanError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _cannot(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"{self._path}: cannot be written: {error.strerror}: name another file"
        )


class Numbered(NamedTuple):
    """A line between the first and the last, without its end; `number` counts from 1 on."""

    number: int
    raw: bytes


class Source(Protocol):
    """What an export is read from."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end."""


class ExportReader:
    """Reads an export, a line at a time. `manifest` is its first line.

    After the last line `damage` says what is wrong with the file as a whole; it is empty where
    nothing is.
    """

    def __init__(self, name: str, file: Source) -> None:
        """Raises `ConfigurationError` where it is no export that can be read."""
        self.damage = ""
        self._name = name
        self._hash = hashlib.sha256()
        self._lines = self._split(file)
        try:
            first = next(self._lines, b"")
            self.manifest = read_manifest(first)
        except ConfigurationError as error:
            raise ConfigurationError(f"{name}: {error}") from error
        self._hash.update(first + b"\n")

    def __iter__(self) -> Iterator[Numbered]:
        count = 0
        for raw in self._lines:
            if raw.startswith(ENDING):
                self._end(raw, count)
                return
            count += 1
            self._hash.update(raw + b"\n")
            yield Numbered(count + 1, raw)
        self.damage = self.damage or f"it is cut off behind line {count + 1}"

    def _end(self, raw: bytes, count: int) -> None:
        try:
            ending = read_ending(raw)
        except DecodingError as error:
            self.damage = str(error)
            return
        if ending.lines != count:
            self.damage = f"it holds {count:,} lines, and says {ending.lines:,}"
        elif ending.sha256 != self._hash.hexdigest():
            self.damage = "its SHA-256 is not the one that it says: it was changed"
        elif next(self._lines, None) is not None:
            self.damage = "something follows its last line"

    def _split(self, file: Source) -> Iterator[bytes]:
        """The lines that have an end: what is cut off in the middle is none."""
        rest = b""
        for block in self._blocks(file):
            *whole, rest = (rest + block).split(b"\n")
            yield from whole
            if len(rest) > MAX_LINE:
                self.damage = f"it holds a line of more than {MAX_LINE} bytes"
                return

    def _blocks(self, file: Source) -> Iterator[bytes]:
        try:
            source = cast(BinaryIO, file)  # of which it uses `read` alone
            with zstandard.ZstdDecompressor().stream_reader(
                source, read_across_frames=True, closefd=False
            ) as reader:
                while block := reader.read(_READ):
                    yield block
        except zstandard.ZstdError:
            self.damage = "its compressed data is damaged"
        except OSError as error:
            raise YizhanError(f"{self._name}: cannot be read: {error.strerror}") from error
