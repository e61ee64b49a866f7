"""`ctx.once`: the body of a `with` statement that runs once for a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

from pydantic_core import PydanticSerializationError, from_json, to_json

from receiver.client import trail
from receiver.errors import BusError, ConfigurationError, OutcomeUnknownError
from receiver.worker.effects.failures import did_not_happen
from receiver.worker.effects.ledger import Asked, Found, Ledger
from receiver.worker.interface import Resolve, Retry
from receiver.worker.run_start import in_ledger

MAX_RESULT_BYTES: Final = 8 * 1024
MAX_NAME_CHARS: Final = 200
MAX_KEY_CHARS: Final = 1000
MAX_WHY_CHARS: Final = 200
_NOTHING: Final = b"null"
_BODY: Final = ContextVar[str | None]("effect_body", default=None)
"""The effect whose body runs in this task or thread."""


class Effect:
    """See `receiver.worker.interface.Effect`."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._json = to_json(found.record.result)
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
        return from_json(self._json)

    @result.setter
    def result(self, value: Any) -> None:
        """What is kept is `value` as it is now, whatever becomes of it."""
        self._json, self.unkept = _NOTHING, None
        try:
            json = to_json(value, inf_nan_mode="null")
        except (PydanticSerializationError, ValueError, RecursionError):
            self.unkept = f"a {type(value).__name__} cannot be written as JSON"
        else:
            if len(json) > MAX_RESULT_BYTES:
                self.unkept = f"it has {len(json)} bytes of JSON, and {MAX_RESULT_BYTES} are kept"
        if self.unkept is not None:
            raise ConfigurationError(
                f"the result of the effect {self._found.record.name!r} is not kept: {self.unkept}: "
                "keep an id, or what the next step needs"
            )
        self._json = json


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
        self._changes: list[str] = []

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
        return self._begun(await self._open())

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _leave()
        await self._end(exc)

    def __enter__(self) -> Effect:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._check_enters()
            return self._begun(self._wait(self._open()))
        raise ConfigurationError("in a coroutine function write `async with ctx.once(...)`")

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _leave()
        self._wait(self._end(exc))

    def _check_enters(self) -> None:
        """An error in an effect within another would release both."""
        if self._found is not None:
            raise ConfigurationError("what ctx.once gives is for one `with` statement")
        check_outside(f"ctx.once({self._asked.name!r})")

    def _begun(self, effect: Effect) -> Effect:
        """Its body runs in this task or thread."""
        _BODY.set(self._asked.name)
        self._changes = trail.gather_changes()
        return effect

    async def _open(self) -> Effect:
        async with in_ledger():
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
            await self._store(found, error, "in_doubt", why=self._why(error)[:MAX_WHY_CHARS])

    def _did_not_happen(self, effect: Effect, error: BaseException) -> bool:
        """Not what a call of the body has changed before, but where the handler says so itself."""
        if effect.unkept is not None or (self._changes and not isinstance(error, self._safe)):
            return False
        return did_not_happen(error, self._safe)

    def _why(self, error: BaseException) -> str:
        made = f" after {self._changes[0]}" if self._changes else ""
        return f"{type(error).__name__}{made}"

    async def _store(
        self, found: Found, error: BaseException | None, state: Any, **changes: Any
    ) -> None:
        """A run that is cancelled does not wait; one that failed keeps its own error."""
        if isinstance(error, asyncio.CancelledError):
            self._ledger.close_soon(found, state, **changes)
            return
        try:
            async with in_ledger():
                await self._ledger.close(found, state, **changes)
        except BusError:
            if error is None:
                raise


def _leave() -> None:
    """The body of an effect has ended."""
    _BODY.set(None)
    trail.gather_no_changes()


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
