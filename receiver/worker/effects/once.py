"""`ctx.once`: the body of a `with` statement that runs once for a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json

from receiver.errors import BusError, ConfigurationError, OutcomeUnknownError
from receiver.worker.effects.failures import did_not_happen
from receiver.worker.effects.ledger import Asked, Found, Ledger
from receiver.worker.interface import Resolve, Retry

MAX_RESULT_BYTES: Final = 8 * 1024
MAX_NAME_CHARS: Final = 200
MAX_KEY_CHARS: Final = 1000
MAX_WHY_CHARS: Final = 200
_BODY: Final = ContextVar[str | None]("effect_body", default=None)
"""The effect whose body runs in this task or thread."""


class Effect:
    """See `receiver.worker.interface.Effect`."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._result: Any = found.record.result
        self.unkept: str | None = found.record.unkept
        self.asked = False

    @property
    def due(self) -> bool:
        """See `Effect.due`."""
        self.asked = True
        return self._found.is_claim

    @property
    def key(self) -> str:
        """See `Effect.key`."""
        return self._found.key

    @property
    def result(self) -> Any:
        """See `Effect.result`."""
        if self.unkept is not None:
            raise ConfigurationError(
                f"the effect {self._found.record.name!r} is done, and its result was not kept: "
                f"{self.unkept}"
            )
        return self._result

    @result.setter
    def result(self, value: Any) -> None:
        self._result, self.unkept = None, None
        try:
            size_bytes = len(to_json(value))
        except (PydanticSerializationError, ValueError, RecursionError):
            self.unkept = f"a {type(value).__name__} cannot be written as JSON"
        else:
            if size_bytes > MAX_RESULT_BYTES:
                self.unkept = f"it has {size_bytes} bytes of JSON, and {MAX_RESULT_BYTES} are kept"
        if self.unkept is not None:
            raise ConfigurationError(
                f"the result of the effect {self._found.record.name!r} is not kept: {self.unkept}: "
                "keep an id, or what the next step needs"
            )
        self._result = value


class Once:
    """The context manager that `ctx.once` gives: for `async with` in coroutine functions, for
    `with` in plain ones. `wait` runs a coroutine on the event loop for a thread.
    """

    def __init__(
        self,
        ledger: Ledger,
        asked: Asked,
        *,
        resolve: Resolve | None,
        safe: tuple[type[BaseException], ...],
        wait: Callable[[Coroutine[Any, Any, Any]], Any],
    ) -> None:
        self._ledger = ledger
        self._asked = asked
        self._resolve = resolve
        self._safe = safe
        self._wait = wait
        self._found: Found | None = None
        self._effect: Effect | None = None

    @property
    def asked(self) -> Asked:
        """The effect."""
        return self._asked

    @property
    def happens_here(self) -> bool | None:
        """Whether its body is to run in this run; False where it happened before, None where that
        was not found out."""
        return None if self._found is None else self._found.is_claim

    async def __aenter__(self) -> Effect:
        self._check_enters()
        effect = await self._open()
        _BODY.set(self._asked.name)
        return effect

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _BODY.set(None)
        await self._end(exc)

    def __enter__(self) -> Effect:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._check_enters()
            effect: Effect = self._wait(self._open())
            _BODY.set(self._asked.name)
            return effect
        raise ConfigurationError("in a coroutine function write `async with ctx.once(...)`")

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _BODY.set(None)
        self._wait(self._end(exc))

    def _check_enters(self) -> None:
        """An error in an effect within another would release both."""
        if self._found is not None:
            raise ConfigurationError("what ctx.once gives is for one `with` statement")
        check_outside(f"ctx.once({self._asked.name!r})")

    async def _open(self) -> Effect:
        self._found = await self._ledger.open(self._asked, self._resolve)
        self._effect = Effect(self._found)
        return self._effect

    async def _end(self, exc: BaseException | None) -> None:
        assert self._found is not None
        assert self._effect is not None
        if self._found.is_claim:
            await self._close(self._found, self._effect, exc)
            if self._resolve is not None and isinstance(exc, OutcomeUnknownError):
                # by itself it would be a dead letter at once, and nothing would ask
                raise Retry(reason=f"what became of {self._asked.name!r} is unknown") from exc
        if exc is None and not self._effect.asked:
            raise ConfigurationError(
                f"the body of ctx.once({self._asked.name!r}) never asks `effect.due`: without "
                "`if effect.due:` it would run every time"
            )

    async def _close(self, found: Found, effect: Effect, error: BaseException | None) -> None:
        if not effect.asked or (error is not None and self._did_not_happen(effect, error)):
            await self._store(found, error, "released")
        elif error is None or effect.unkept is not None:
            kept = {"unkept": effect.unkept} if effect.unkept else {"result": effect.result}
            await self._store(found, error, "done", **kept)
        else:
            await self._store(found, error, "in_doubt", why=type(error).__name__[:MAX_WHY_CHARS])

    def _did_not_happen(self, effect: Effect, error: BaseException) -> bool:
        return effect.unkept is None and did_not_happen(error, self._safe)

    async def _store(
        self, found: Found, error: BaseException | None, state: Any, **changes: Any
    ) -> None:
        """A run that is cancelled does not wait; one that failed keeps its own error."""
        if isinstance(error, asyncio.CancelledError):
            self._ledger.close_soon(found, state, **changes)
            return
        try:
            await self._ledger.close(found, state, **changes)
        except BusError:
            if error is None:
                raise


def check_outside(call: str) -> None:
    """Raise `ConfigurationError` where `call` is made in the body of an effect."""
    if (name := _BODY.get()) is not None:
        raise ConfigurationError(
            f"{call} stands in the body of ctx.once({name!r}): write it behind that"
        )


def check_names(name: str, key: str | None) -> None:
    """Raise `ConfigurationError` where an effect cannot be called that."""
    if not 0 < len(name) <= MAX_NAME_CHARS:
        raise ConfigurationError(f"an effect's name has 1 to {MAX_NAME_CHARS} characters")
    if key is not None and not 0 < len(key) <= MAX_KEY_CHARS:
        raise ConfigurationError(f"an effect's key has 1 to {MAX_KEY_CHARS} characters")
