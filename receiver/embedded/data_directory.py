"""An embedded server's data directory, looked at from outside: who holds it, and what it stores.

Changes nothing. Two locks keep a directory to one run: its owner's, and the server's own.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Final

from receiver.errors import ConfigurationError

LOCK: Final = "lock"
SERVER_LOCK: Final = "nats-server.lock"
STORE: Final = "jetstream"
_ACCOUNT: Final = "jetstream/$G/streams"
"""Where nats-server keeps the streams of clients without an account, below its store."""


def is_owned(data_dir: Path) -> bool:
    """Whether a run that lives holds the directory; raises `OSError`."""
    return _held(data_dir / LOCK)


def is_open(data_dir: Path) -> bool:
    """Whether a nats-server has the directory open; raises `OSError`."""
    return _held(data_dir / SERVER_LOCK)


def left_open(data_dir: Path) -> ConfigurationError:
    """The error for a directory that a server without an owner has open."""
    pid = server_pid(data_dir)
    return ConfigurationError(
        f"nats.data_dir: a nats-server of an ended run (process {pid}) still "
        f"has {data_dir} open: end that process"
    )


def server_pid(data_dir: Path) -> str:
    """The process id of the server that has, or last had, the directory open."""
    try:
        return (data_dir / SERVER_LOCK).read_text(encoding="utf-8").strip() or "unknown"
    except OSError:
        return "unknown"


def stored_config(data_dir: Path, stream: str) -> dict[str, Any] | None:
    """The configuration of a stream as a server that has ended left it, None where there is none.

    It is in JetStream's JSON. A file that cannot be read counts as none: the server itself says at
    its start what is wrong with it.
    """
    try:
        file = stream_directory(data_dir, stream) / "meta.inf"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("name") == stream else None


def stream_directory(data_dir: Path, stream: str) -> Path:
    """Where the server keeps a stream."""
    return data_dir / STORE / _ACCOUNT / stream


def _held(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
