"""The client of the platform's API against a platform that fails: `python -m bench.chaos`."""
