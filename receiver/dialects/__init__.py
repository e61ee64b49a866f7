"""The wire formats: how each sender proves itself and what its callbacks say.

A dialect is one module of pure functions and one line in `DIALECTS`. It performs no I/O; `now`
and everything else it needs comes in as an argument.
"""

from __future__ import annotations

from typing import Final

from receiver.dialects.aop import AOP
from receiver.dialects.dialect import Dialect
from receiver.dialects.global_gateway import GLOBAL
from receiver.dialects.xport import XPORT

DIALECTS: Final[dict[str, Dialect]] = {
    "xport": XPORT,
    "aop": AOP,
    "global": GLOBAL,
}
"""Every wire format by its name in the settings."""
