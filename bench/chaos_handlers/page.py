"""The section of docs/guarantees.md on handlers, made from the last whole run of each scenario."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.chaos_handlers.scenarios import SCENARIOS

_RESULTS = Path(__file__).parent / "results.json"
_TEXT = """\
Three worker processes run one handler on 20,000 events of 2,000 orders, each run 10 to 20 ms long,
16 at once (`make chaos`). *Killed* are workers. *Lost* are events that were never handled to an
end, found by comparing with what was published; *overlaps* are runs that began while another of
their order went on; *out of order* are events first finished after a later one of their order. The
rate is also given as a share of that of the undisturbed run. A *takeover* is the time from the
death of a worker to the first run of the next one, p50 / p99.
"""
_EFFECTS = """\
The same with `ctx.once`: 4,000 events report 2,000 facts, each twice, and the handler acts once for
a fact on a world outside, with 5 to 10 ms before and after the act in which it may be killed.
*Twice* are facts that were acted on more than once, *never* those that were not although their
event was handled to an end, *undecided* those that the ledger does not know as done in the end.
*Asked* counts the answers of `resolve` where a process had left an effect in doubt: it happened /
it did not, and then it was done. A run that waits for NATS over its restart is not run again beside
itself: its process has three seconds to be back before another takes over. Where runs *overlap* all
the same, the ledger lets one of them act. An event whose process is killed in its code four times,
the last two with nothing beside it, would be taken for the cause, and become a dead letter. What
the ledger does for a run does not count for that, and takes little time: of a process that was
killed on the same machine the operating system knows that it has ended. From another machine the
server is asked for half a second whether it stays away.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What one scenario did; `share` is its rate by that of the undisturbed run, 0 where that did
    not run before. Takeovers are seconds, None where no worker was killed. `effects` are the counts
    of `bench.chaos_handlers.effects.Effects`."""

    name: str
    when: str
    where: str
    events: int
    hurt: int
    lost: int
    overlaps: int
    disorder: int
    letters: int
    rate_per_s: int
    share: float
    takeover_p50_s: float | None
    takeover_p99_s: float | None
    effects: Mapping[str, int] | None = None

    @property
    def summary(self) -> str:
        """One line."""
        takeover = ""
        if self.takeover_p50_s is not None:
            takeover = f"  takeover p50 {self.takeover_p50_s:.3f} s p99 {self.takeover_p99_s:.3f} s"
        return (
            f"{self.name:<22} hurt {self.hurt:3d}  lost {self.lost}  overlaps {self.overlaps}"
            f"  out of order {self.disorder}  letters {self.letters}"
            f"  {self.rate_per_s}/s ({self.share or '-'}){takeover}{self._effects}"
        )

    @property
    def _effects(self) -> str:
        if self.effects is None:
            return ""
        return "  effects: " + "  ".join(f"{name} {n}" for name, n in self.effects.items())


def read_rows() -> dict[str, Row]:
    """The rows of earlier runs, by name."""
    if not _RESULTS.exists():
        return {}
    return {row["name"]: Row(**row) for row in json.loads(_RESULTS.read_text(encoding="utf-8"))}


def keep(rows: Sequence[Row]) -> None:
    """Keep the rows of this run in place of earlier ones."""
    known = read_rows() | {row.name: row for row in rows}
    kept = [asdict(known[s.name]) for s in SCENARIOS if s.name in known]
    _RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def section() -> Iterator[str]:
    """The lines of the section."""
    rows = read_rows()
    yield "## Handlers"
    yield ""
    yield from _TEXT.splitlines()
    yield ""
    yield "| what was done | killed | lost | overlaps | out of order | letters | rate | takeover |"
    yield "| --- |" + " ---: |" * 7
    for scenario in SCENARIOS:
        if not scenario.effects:
            row = rows.get(scenario.name)
            yield f"| {scenario.title} | " + (_cells(row) if row else "not run |" + " |" * 6)
    yield ""
    yield from _effects(rows)


def _effects(rows: Mapping[str, Row]) -> Iterator[str]:
    yield from _EFFECTS.splitlines()
    yield ""
    heads = ("what was done", "killed", "twice", "never", "undecided", "lost", "letters")
    yield "| " + " | ".join((*heads, "overlaps", "asked", "rate")) + " |"
    yield "| --- |" + " ---: |" * 9
    for scenario in SCENARIOS:
        if scenario.effects:
            row = rows.get(scenario.name)
            yield f"| {scenario.title} | " + (_effect_cells(row) if row else "not run |" + " |" * 8)
    yield ""


def _effect_cells(row: Row) -> str:
    counts = row.effects or {}
    wrong = (f"**{counts[name]}**" for name in ("twice", "never", "undecided"))
    asked = f"{counts['happened']} / {counts['did_not']}"
    rate = f"{row.rate_per_s}/s ({row.share:.2f})"
    cells = (row.hurt, *wrong, f"**{row.lost}**", row.letters, row.overlaps, asked, rate)
    return " | ".join(map(str, cells)) + " |"


def _cells(row: Row) -> str:
    takeover = ""
    if row.takeover_p50_s is not None:
        takeover = f"{row.takeover_p50_s:.2f} s / {row.takeover_p99_s:.2f} s"
    wrong = (f"**{count}**" for count in (row.lost, row.overlaps, row.disorder))
    rate = f"{row.rate_per_s}/s ({row.share:.2f})"
    return " | ".join(map(str, (row.hurt, *wrong, row.letters, rate, takeover))) + " |"
