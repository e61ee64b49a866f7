"""A list that comes in pages: one page, or all that is on them. Performs no I/O of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from receiver.client.reading import identity
from receiver.errors import InvalidRequestError
from schemas.api.reply import Page

ItemT = TypeVar("ItemT", bound=BaseModel)


class Pages(Generic[ItemT]):
    """What a call of a list gives: awaited the page that was asked for, iterated every item.

        page = await api.alibaba.products.search_store(seller_open_id=shop)
        async for offer in api.alibaba.products.search_store(seller_open_id=shop).all(limit=500):
            ...

    Each page is a call of its own; an error of one is raised where it is asked for.
    """

    def __init__(
        self, fetch: Callable[[int], Awaitable[Page[ItemT]]], *, first: int, page_size: int
    ) -> None:
        self._fetch = fetch
        self._first = first
        self._page_size = page_size

    def __await__(self) -> Generator[Any, None, Page[ItemT]]:
        """The one page that was asked for."""
        return self._fetch(self._first).__await__()

    def __aiter__(self) -> AsyncIterator[ItemT]:
        """Every item from that page on; see `all`."""
        return self.all()

    async def all(self, limit: int | None = None) -> AsyncIterator[ItemT]:
        """Every item from the page that was asked for on, each once, `limit` of them at most.

        No page is asked for after one that is short, that holds nothing new, or that is the last by
        its own numbers: these may have shrunk since the first page.
        """
        if limit is not None and limit < 1:
            raise InvalidRequestError("limit: at least 1")
        count = 0
        async for page in self.pages():
            for item in page.items:
                yield item
                count += 1
                if count == limit:
                    return

    async def pages(self) -> AsyncIterator[Page[ItemT]]:
        """Page after page, without the items that an earlier one held; stops as `all` does."""
        seen: set[str] = set()
        read, number = 0, self._first
        while True:
            page = await self._fetch(number)
            read += len(page.items)
            ids = [identity(item) for item in page.items]
            fresh = [item for item, key in zip(page.items, ids, strict=True) if key not in seen]
            if not fresh:
                return
            seen.update(ids)
            yield (
                page if len(fresh) == len(ids) else page.model_copy(update={"items": tuple(fresh)})
            )
            if self._is_last(page, number, read):
                return
            number += 1

    def _is_last(self, page: Page[ItemT], number: int, read: int) -> bool:
        size = min(self._page_size, page.page_size or self._page_size)
        if len(page.items) < size:
            return True
        if page.total_page is not None and number >= page.total_page:
            return True
        before = (self._first - 1) * self._page_size
        return page.total_records is not None and before + read >= page.total_records
