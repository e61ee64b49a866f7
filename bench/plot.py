"""docs/performance.png: callbacks a second and p99 at 256 connections."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from bench.contenders import EMPTY, YIZHAN, YIZHAN_OFF
from bench.outcome import Outcome

mpl.use("Agg")

from matplotlib import pyplot as plt

_OURS, _THEIRS = "#c0392b", "#7f8c8d"


def write(outcome: Outcome, path: Path) -> None:
    """Bars for both ways of syncing; the empty app is left to the table, it dwarfs the rest."""
    shown = [c for c in outcome.contenders if c is not EMPTY]
    labels = [contender.label.replace("`", "") for contender in shown]
    colours = [_OURS if c in {YIZHAN, YIZHAN_OFF} else _THEIRS for c in shown]
    figure, axes = plt.subplots(2, 2, figsize=(11, 6), sharey=True)
    for column, (sync, title) in enumerate((("always", "sync always"), ("lazy", "lazy sync"))):
        results = [outcome.of(sync, 256, contender).result for contender in shown]
        drawn = (("callbacks/s", "per_s"), ("p99 in ms", "p99_ms"))
        for row, (name, attribute) in enumerate(drawn):
            axis = axes[row][column]
            values = [getattr(result, attribute) for result in results]
            bars = axis.barh(labels, values, color=colours)
            axis.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
            axis.margins(x=0.15)
            axis.set_title(f"{name}, 256 connections, {title}", fontsize=10)
            axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
