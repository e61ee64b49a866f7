"""`python -m bench.faults`: hurt a running receiver in many ways, and write docs/guarantees.md."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from bench.faults import batches, clusters, disks, processes, spools, stops
from bench.faults.page import Row, read_rows, row_of, write_rows
from bench.faults.stage import Fault, SkippedError, directory_on_disk
from receiver.observability.logs import configure_logs
from receiver.settings import LogSettings

FAULTS: Sequence[Fault] = (
    *processes.FAULTS,
    *spools.FAULTS,
    *disks.FAULTS,
    *batches.FAULTS,
    *clusters.FAULTS,
    *stops.FAULTS,
)
_MAX_S = 1200.0


def main() -> int:
    """The command: 0 where no acknowledged callback was lost or stored twice, else 1."""
    arguments = _arguments()
    if arguments.list:
        for fault in FAULTS:
            print(f"{fault.name:<20} {fault.title}")
        return 0
    if arguments.page:
        write_rows(FAULTS, read_rows())
        return 0
    configure_logs(LogSettings(level="error"))
    known = {fault.name: fault for fault in FAULTS}
    if unknown := [name for name in arguments.only if name not in known]:
        print(f"no such fault: {', '.join(unknown)}; see --list", file=sys.stderr)
        return 2
    chosen = [known[name] for name in arguments.only] or list(FAULTS)
    try:
        rows = asyncio.run(_run(chosen, keep=not arguments.dry))
    except KeyboardInterrupt:
        print("\nstopped; what was through is kept", file=sys.stderr)
        return 130
    if not arguments.dry:
        print("docs/guarantees.md has it")
    broken = [row for row in rows.values() if row.broken]
    for row in broken:
        print(f"{row.name}: {row.summary}", file=sys.stderr)
    return 1 if broken else 0


async def _run(chosen: Sequence[Fault], *, keep: bool) -> dict[str, Row]:
    """Each in its turn; with `keep`, docs/guarantees.md has it at once."""
    rows: dict[str, Row] = {}
    for number, fault in enumerate(chosen, start=1):
        print(f"[{number}/{len(chosen)}] {fault.title} ...", end=" ", flush=True)
        begun = time.monotonic()
        rows[fault.name] = await _row(fault)
        print(f"{rows[fault.name].summary} ({time.monotonic() - begun:.0f} s)", flush=True)
        if keep:  # what is skipped here keeps the row of the machine where it ran
            run = {name: row for name, row in rows.items() if not row.skipped}
            write_rows(FAULTS, rows | read_rows() | run)
    return rows


async def _row(fault: Fault) -> Row:
    async with directory_on_disk() as directory:
        try:
            async with asyncio.timeout(_MAX_S):
                return row_of(fault, await fault.run(directory))
        except SkippedError as why:
            return row_of(fault, None, problem=f"skipped: {why}")
        except (RuntimeError, TimeoutError, OSError) as error:
            return row_of(fault, None, problem=f"failed: {error or type(error).__name__}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="FAULT", help="these alone")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--page", action="store_true", help="write the page of what is kept")
    parser.add_argument("--dry", action="store_true", help="leave docs/guarantees.md as it is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
