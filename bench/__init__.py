"""Benchmarks (`make bench`): measured on real servers, never part of what is installed."""
