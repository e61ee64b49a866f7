"""What handlers keep between runs: one entry a key, written by compare-and-set."""
