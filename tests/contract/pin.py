"""The pinned schemas, and `python -m tests.contract.pin`, which writes what was added to them.

It refuses a change that is not an addition. Before a first release, delete the file of a type to
pin it anew; afterwards, a change that breaks is a new type or a `v2`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from receiver.contract.catalogue import json_schemas
from tests.contract.compatibility import Change, changes

PUBLISHED: Final = Path(__file__).parent / "published"
COMMAND: Final = "python -m tests.contract.pin"


def pinned(directory: Path = PUBLISHED) -> dict[str, dict[str, Any]]:
    """The schemas as they were published, by file name."""
    files = sorted(directory.glob("*.json"))
    return {file.name: json.loads(file.read_text(encoding="utf-8")) for file in files}


def compared(
    published: dict[str, dict[str, Any]], current: dict[str, dict[str, Any]]
) -> list[Change]:
    """Every difference between two sets of schemas; places begin with the file's name."""
    found = [
        Change(name, "event type removed", breaking=True) for name in published.keys() - current
    ]
    for name, schema in current.items():
        if name not in published:
            found.append(Change(name, "event type added", breaking=False))
            continue
        found += [
            Change(f"{name} {change.place}", change.what, change.breaking)
            for change in changes(published[name], schema)
        ]
    return found


def write(schemas: dict[str, dict[str, Any]], directory: Path = PUBLISHED) -> None:
    """Write the schemas, one file each."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas.items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        (directory / name).write_text(text, encoding="utf-8")


def main(directory: Path = PUBLISHED) -> int:
    """Pin what was added; 1, and nothing written, where a change is not an addition."""
    current = json_schemas()
    found = compared(pinned(directory), current)
    for change in found:
        print(f"{'BREAKS' if change.breaking else 'added '}  {change}")
    if any(change.breaking for change in found):
        print("Nothing was written: change the models by adding optional fields only.")
        return 1
    write(current, directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
