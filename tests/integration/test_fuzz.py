"""The fuzzer itself works, and a first few thousand inputs find nothing."""

from __future__ import annotations

from bench.fuzz.generate import Generator, seeds
from bench.fuzz.target import NAMES, run


def test_thousands_of_inputs_end_in_an_answer() -> None:
    generator = Generator(1)
    for _ in range(3000):
        run(generator.case())


def test_every_dialect_is_fuzzed_from_its_fixtures() -> None:
    assert {name for name, _ in seeds()} == set(NAMES)
