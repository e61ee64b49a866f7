"""The commands that move what is stored: `yizhan export`, `yizhan import`."""
