"""Fuzzing what a stranger's bytes reach: verify, parse, encode, decode, of every dialect."""
