"""How many connections the system lets a process open."""

from __future__ import annotations

import subprocess
import sys

import pytest

from receiver.web.connection.open_files import RESERVE

SCRIPT = """
import resource, sys
from receiver.web.connection.open_files import fit_open_files
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(fit_open_files(wanted), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "room", "raised"),
    [
        (256, 2048, 1000, 1000, 1000 + RESERVE),
        (256, 512, 1000, 512 - RESERVE, 512),
        (2048, 2048, 100, 100, 2048),
        (64, 64, 1000, 1, 64),
    ],
    ids=["raised", "raised as far as may be", "enough", "hardly any"],
)
def test_the_soft_limit_is_raised_as_far_as_is_needed(
    soft: int, hard: int, wanted: int, room: int, raised: int
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(soft), str(hard), str(wanted)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [str(room), str(raised)]
