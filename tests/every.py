"""One test for many cases: an item of pytest costs more than most of them take.

Every worker collects every item, then sets it up and reports it. `every` is for cases that need no
fixture of their own; where one fails, the others are checked all the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec, TypeVar

import pytest

Case = TypeVar("Case")
Rest = ParamSpec("Rest")


def every(
    cases: Iterable[Case],
) -> Callable[[Callable[Concatenate[Case, Rest], None]], Callable[Rest, None]]:
    """Call a test for each of `cases`, which becomes its first argument.

    What fails is raised as one group, each failure with its case as a note.
    ValueError: `cases` is empty.
    """
    walked = list(cases)
    if not walked:
        raise ValueError("there is no case")

    def of(test: Callable[Concatenate[Case, Rest], None]) -> Callable[Rest, None]:
        def walk(*args: Rest.args, **others: Rest.kwargs) -> None:
            failed: list[BaseException] = []
            for case in walked:
                try:
                    test(case, *args, **others)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - raised below
                    error.add_note(f"case: {case!r}")
                    failed.append(error)
            if failed:
                raise BaseExceptionGroup(f"{len(failed)} of {len(walked)} cases failed", failed)

        signature = inspect.signature(test)
        left = list(signature.parameters.values())[1:]
        walk.__name__, walk.__qualname__ = test.__name__, test.__qualname__
        walk.__module__, walk.__doc__ = test.__module__, test.__doc__
        walk.__dict__.update(test.__dict__, __signature__=signature.replace(parameters=left))
        return walk

    return of
