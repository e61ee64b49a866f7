"""The URLs of a data directory's embedded server, which its owner leaves there for other processes.

They hold passwords: no process gets them by its arguments or its environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from receiver.private_files import replace_private

_FILE: Final = "nats-server.url"


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """The URL of our own processes and that of subscribers; the same where no user is asked for."""

    operator: str = field(repr=False)
    subscriber: str = field(repr=False)

    @property
    def open(self) -> bool:
        """Whether every process of this machine may connect, and do everything."""
        return self.operator == self.subscriber


def announce(data_dir: Path, urls: ServerUrls) -> None:
    """The server is reached there from now on; raises `OSError`."""
    replace_private(data_dir / _FILE, f"{urls.operator}\n{urls.subscriber}\n")


def retract(data_dir: Path) -> None:
    """No server is reached any more; raises `OSError`."""
    (data_dir / _FILE).unlink(missing_ok=True)


def announced(data_dir: Path) -> ServerUrls | None:
    """Where the last owner of the directory serves, unless it ended its server; raises `OSError`.

    Those of an owner that was killed stay until the next start.
    """
    try:
        lines = (data_dir / _FILE).read_text(encoding="utf-8", errors="replace").split()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return ServerUrls(lines[0], lines[-1]) if lines else None
