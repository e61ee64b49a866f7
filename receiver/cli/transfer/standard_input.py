"""Standard input as a file that is read in a thread, and given up where the command is stopped."""

from __future__ import annotations

import os
import select
import sys
from types import TracebackType
from typing import Final, Self

from receiver.errors import ConfigurationError

_LOOK_S: Final = 0.1


class StandardInput:
    """Bytes as they come. After the block a read that waits ends with none: a thread cannot be
    stopped, and one that waits for a pipe would keep the process from its end.
    """

    def __init__(self) -> None:
        """Raises `ConfigurationError` for a terminal."""
        if sys.stdin.isatty():
            raise ConfigurationError("-: standard input is a terminal: name a file")
        self._given_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._given_up = True

    def read(self, size: int, /) -> bytes:
        """What is there, up to so many bytes; none at the end."""
        descriptor = sys.stdin.fileno()
        while not self._given_up:
            if select.select([descriptor], [], [], _LOOK_S)[0]:
                return os.read(descriptor, size)
        return b""
