"""Everything that is stored, as one file, and back: `yizhan export` and `yizhan import`."""
