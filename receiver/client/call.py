"""A row as a method: the request is checked, sent in one place, and its reply read as a model."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, ClassVar, Generic, ParamSpec, Self, TypeVar, overload

from pydantic import BaseModel, ValidationError

from receiver.client.endpoint import Endpoint
from receiver.client.pages import Pages
from receiver.client.replies import Reply
from receiver.client.sender import Sender
from receiver.client.settlement import Settled, SettledBy, put_question, settle
from receiver.errors import InvalidRequestError, OutcomeUnknownError
from schemas.api.reply import Page
from schemas.api.request import sent

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)
ModelT = TypeVar("ModelT", bound=BaseModel)
ItemT = TypeVar("ItemT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reader(Generic[ResultT_co]):
    """How a reply is read, and the model that it is read as."""

    model: type[BaseModel]
    read: Callable[[Reply], ResultT_co]
    is_list: bool = False


def one(model: type[ModelT]) -> Reader[ModelT]:
    """The reply is one `model`."""
    return Reader(model, lambda reply: reply.read(model))


def rows(model: type[ModelT]) -> Reader[list[ModelT]]:
    """The reply is a list of `model`, empty for null."""
    return Reader(model, lambda reply: reply.read_rows(model), is_list=True)


class AnyCall:
    """A row and the model of its request; `reply` and `is_list` say what `read` gives.

    `settled_by` is how it is found out what became of a change; None where no call shows it.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        request: Callable[..., Any],
        *,
        settled_by: SettledBy | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.request = request
        self.settled_by = settled_by

    reply: type[BaseModel]
    is_list: bool = False
    read: Callable[[Reply], Any]
    method: str
    place: str
    """Where the method stands on `PlatformAPI`: `alibaba.orders.detail`."""

    def named(self, prefix: str, method: str) -> None:
        """Give the row its name; done once, by the group that holds it."""
        self.endpoint = replace(self.endpoint, name=f"{prefix}_{method}")
        self.method = method
        self.place = f"{prefix.replace('_', '.')}.{method}"

    def bound(self, sender: Sender) -> Callable[..., Any]:
        """The method that calls by `sender`."""
        raise NotImplementedError

    def made(self, *args: Any, **kwargs: Any) -> Any:
        """The request of these arguments; raises `InvalidRequestError`, which shows no value."""
        try:
            return self.request(*args, **kwargs)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            number, *inner = first["loc"] or [""]
            if isinstance(number, int):  # of one that was given by position
                number = self.parameters()[number].name
            place = ".".join(map(str, [number, *inner]))
            reason = first["msg"].removeprefix("Value error, ")
            where = f"{place}: " if place else ""
            raise InvalidRequestError(f"{self.endpoint.name}: {where}{reason}") from None

    def parameters(self) -> list[inspect.Parameter]:
        """What the method takes, in the order in which it is sent."""
        return [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY
                if field.kw_only
                else inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=field.type,
            )
            for field in fields(self.request)  # type: ignore[arg-type] # a request is a dataclass
        ]

    def described(self, method: Callable[..., Any]) -> None:
        """Give a bound method the names, the contract and the parameters that help() shows."""
        method.__name__, method.__qualname__ = self.method, self.place
        method.__doc__ = self.endpoint.summary
        method.__signature__ = inspect.Signature(self.parameters())  # type: ignore[attr-defined] # any function takes one


class Group:
    """Some calls of one account; a subclass names its rows `<prefix>_<attribute>`."""

    calls: ClassVar[tuple[AnyCall, ...]] = ()

    def __init_subclass__(cls, *, prefix: str) -> None:
        """Name the rows, and list them in the order in which they stand."""
        held = [(name, call) for name, call in vars(cls).items() if isinstance(call, AnyCall)]
        for name, call in held:
            call.named(prefix, name)
        cls.calls = tuple(call for _, call in held)

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    async def settle(self, error: OutcomeUnknownError) -> Settled:
        """Find out what became of a change, by the read call that `error.asking` names.

        Asks until it is done, or until `error.final_at`, since the platform may still work on it.
        Raises nothing of the read call: the verdict is `unknown` then, as where there is none.
        """
        return await settle(error, self.sender)


class Call(AnyCall, Generic[P, ResultT]):
    """A row that is called once: an awaitable of its result. Raises `APIError`."""

    def __init__(
        self,
        endpoint: Endpoint,
        request: Callable[P, Any],
        reader: Reader[ResultT],
        *,
        settled_by: SettledBy | None = None,
    ) -> None:
        super().__init__(endpoint, request, settled_by=settled_by)
        self.reply = reader.model
        self.is_list = reader.is_list
        self.read = reader.read

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group, owner: type) -> Callable[P, Awaitable[ResultT]]: ...
    def __get__(self, group: Group | None, owner: type) -> Self | Callable[P, Awaitable[ResultT]]:
        """The method of a group."""
        return self if group is None else self.bound(group.sender)

    def bound(self, sender: Sender) -> Callable[P, Awaitable[ResultT]]:
        """The method that calls by `sender`."""

        async def method(*args: P.args, **kwargs: P.kwargs) -> ResultT:
            request = self.made(*args, **kwargs)
            try:
                return await sender.call(self.endpoint, sent(request), self.read)
            except OutcomeUnknownError as error:
                put_question(self.settled_by, request, error)
                raise

        self.described(method)
        return method


class PagedCall(AnyCall, Generic[P, ItemT]):
    """A row whose reply is a page: its result is awaited or iterated (`Pages`).

    `number` is the request's field that counts pages. Raises `APIError`, and for arguments that
    break a rule `InvalidRequestError` at once.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        request: Callable[P, Any],
        page: type[Page[ItemT]],
        *,
        number: str = "page_no",
    ) -> None:
        super().__init__(endpoint, request)
        self.reply = page
        self.read: Callable[[Reply], Page[ItemT]] = lambda reply: reply.read(page)
        self._number = number

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group, owner: type) -> Callable[P, Pages[ItemT]]: ...
    def __get__(self, group: Group | None, owner: type) -> Self | Callable[P, Pages[ItemT]]:
        """The method of a group."""
        return self if group is None else self.bound(group.sender)

    def bound(self, sender: Sender) -> Callable[P, Pages[ItemT]]:
        """The method that calls by `sender`."""

        def method(*args: P.args, **kwargs: P.kwargs) -> Pages[ItemT]:
            request = self.made(*args, **kwargs)

            async def fetch(number: int) -> Page[ItemT]:
                asked = replace(request, **{self._number: number})
                return await sender.call(self.endpoint, sent(asked), self.read)

            first: int = getattr(request, self._number)
            return Pages(fetch, first=first, page_size=request.page_size)

        self.described(method)
        return method
