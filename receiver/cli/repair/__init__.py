"""The commands that act on dead letters and on the quarantine."""
