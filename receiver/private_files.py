"""Files that their owner alone may read: they hold secrets, or what callbacks hold."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TextIO


def open_private(path: Path) -> TextIO:
    """A new text file (UTF-8, mode 0600), open for writing; raises `OSError`, where there is such a
    file `FileExistsError`.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def replace_private(path: Path, text: str) -> None:
    """Write a file whole and synced, or leave the one that was there; raises `OSError`.

    It is a new file: what others may still do with the old one does not matter.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    try:
        with open_private(partial) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def close_to_others(path: Path) -> None:
    """Take every right from group and others, as an older version or a wide umask left them.

    Does nothing where nothing is there; raises `OSError`.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode & 0o7777
        if mode & 0o077:
            path.chmod(mode & 0o7700)
