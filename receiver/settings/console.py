"""The section `[console]`."""

from __future__ import annotations

import re
from typing import Final

from pydantic import Field, field_validator

from receiver.settings.section import Section

_ROOT_PATH: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


class ConsoleSettings(Section):
    """Where the operator console listens, apart from the callbacks. `root_path` is the prefix under
    which a proxy serves it, whether the proxy takes the prefix away or not.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8081, ge=0, le=65535)
    root_path: str = ""

    @field_validator("root_path")
    @classmethod
    def _is_path(cls, value: str) -> str:
        if not _ROOT_PATH.fullmatch(value):
            raise ValueError('write the beginning of a path, such as "/ops/yizhan", or leave it out')
        return value
