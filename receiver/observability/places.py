"""Where in the code an error was raised."""

from __future__ import annotations

from types import FrameType


def place_of(error: BaseException, module: str = "") -> str:
    """Where it was raised, as `module.function:line`: the last place in `module`, else the last."""
    place, inside = "", ""
    step = error.__traceback__
    while step is not None:
        place = _place(step.tb_frame, step.tb_lineno)
        if step.tb_frame.f_globals.get("__name__") == module:
            inside = place
        step = step.tb_next
    return inside or place


def _place(frame: FrameType, line: int) -> str:
    return f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}:{line}"
