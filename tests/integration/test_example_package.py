"""examples/warehouse: a package of handlers, built, installed and plugged in by its entry point."""

from __future__ import annotations

import asyncio
import os
import sys
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

EXAMPLE = Path(__file__).parents[2] / "examples" / "warehouse"
TEST = "test_warehouse_handlers.py"


async def run(folder: Path, *command: str) -> tuple[int | None, str]:
    """With what lies in the folder `site` installed."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("YIZHAN_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        cwd=folder,
        env=environ | {"PYTHONPATH": str(folder / "site")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_the_package_is_found_by_its_entry_point_and_passes_its_tests(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(EXAMPLE)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / TEST).write_bytes((EXAMPLE / TEST).read_bytes())
    _, checked = await run(tmp_path, "receiver", "check")
    ended, tested = await run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", TEST)
    assert "ship_order" in checked
    assert (ended, "2 passed" in tested) == (0, True), tested
