"""`python -m bench.fuzz.guided RUNS DIRECTORY`: coverage-guided, with atheris where it installs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["receiver", "schemas"]):
    from bench.fuzz.generate import seeds
    from bench.fuzz.target import NAMES, SLOW_S, Case, run


def one(data: bytes) -> None:
    """The first byte picks the dialect, a line of headers follows where it is odd."""
    if not data:
        return
    name, rest = NAMES[data[0] % len(NAMES)], data[1:]
    headers: list[tuple[bytes, bytes]] = []
    if data[0] & 128:
        line, _, rest = rest.partition(b"\n")
        names = (b"access-key", b"timestamp", b"nonce-str", b"signature", b"authorization")
        headers = list(zip(names, line.split(b"\x1f"), strict=False))
    took_s = run(Case(name, headers, rest))
    assert took_s < SLOW_S * 10, f"{took_s:.3f} s"  # instrumented code is several times slower


def main() -> None:
    runs, directory = sys.argv[1], Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for number, (name, body) in enumerate(seeds()):
        start = bytes([NAMES.index(name)])
        text = json.dumps(body).encode()
        if name == "aop":
            text = b"_aop_signature=A&message=" + text
        (directory / f"seed-{number}").write_bytes(start + text)
    atheris.Setup([sys.argv[0], f"-runs={runs}", "-max_len=8192", str(directory)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
