"""Why a run failed, in words, with its place, its stack and a fingerprint. Performs no I/O.

No local variable, no input of a validation and no body of an API's reply is shown. What a handler's
own code says in its error is shown, unless texts are switched off (`log.errors`).
"""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import dataclass
from typing import Final

from pydantic_core import ValidationError

from receiver.errors import YizhanError
from receiver.observability.places import place_of
from receiver.worker.interface import HandlerSignal

MAX_CHARS: Final = 500
_MAX_FRAMES: Final = 10
_MAX_LINKS: Final = 4
_MAX_MEMBERS: Final = 3


@dataclass(frozen=True, slots=True)
class Cause:
    """What ended a run.

    `reason` is the error's type and text. `place` is `module.function:line`, the last one in the
    handler's module. `traceback` is Python's own, without what lies outside of the handler; empty
    where texts are switched off. `fingerprint` is the same for what failed in the same way in the
    same function: the first 12 hex digits of SHA-256 over the type's qualified name and the place
    without its line.
    """

    reason: str
    place: str
    traceback: str
    fingerprint: str


def cause_of(error: BaseException, module: str, *, place: str = "", texts: bool = True) -> Cause:
    """The cause that `error` is, for a handler of `module`; `place` where it names none itself.
    A signal is no fault, and has no traceback.
    """
    found = place or place_of(error, module)
    traced = texts and not isinstance(error, HandlerSignal)
    return Cause(
        reason=text_of(error, texts=texts),
        place=found,
        traceback=_traceback(error, module) if traced else "",
        fingerprint=fingerprint(_qualified(error), found),
    )


def fingerprint(error_type: str, place: str) -> str:
    """Twelve hex digits, the same for one type of error in one function, whatever the line."""
    function = place.rpartition(":")[0] or place
    return hashlib.sha256(f"{error_type}\n{function}".encode()).hexdigest()[:12]


def text_of(error: BaseException, *, texts: bool = True) -> str:
    """`Type: what it says`, in at most 500 characters; the type alone without `texts`, but for our
    own errors and signals.
    """
    name = type(error).__name__
    ours = isinstance(error, YizhanError | HandlerSignal)
    said = _said(error) if texts or ours else ""
    return (f"{name}: {said}" if said else name)[:MAX_CHARS]


def _said(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        faults_text = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
        return f"{error.title}: {'; '.join(faults_text)}"
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - a handler's own error may raise anything as it is read
        return ""
    if isinstance(error, BaseExceptionGroup):
        members = "; ".join(text_of(member) for member in error.exceptions[:_MAX_MEMBERS])
        return f"{said}: {members}"
    return said


def _traceback(error: BaseException, module: str) -> str:
    """Of the error and of what it was raised from; the cause first, as Python has it."""
    links: list[str] = []
    link: BaseException | None = error
    while link is not None and len(links) < _MAX_LINKS:
        links.append(f"{_frames(link, module)}{text_of(link)}")
        link = link.__cause__
    return "\n\nled to\n\n".join(reversed(links))


def _frames(error: BaseException, module: str) -> str:
    """The innermost frames, from the handler's module on where it is among them."""
    step = start = error.__traceback__
    while step is not None and step.tb_frame.f_globals.get("__name__") != module:
        step = step.tb_next
    return "".join(traceback.format_tb(step or start, limit=-_MAX_FRAMES))


def _qualified(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
