"""`docs/api.md`: every call of the platform's API, written from the rows of the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, get_args

from receiver.client.call import AnyCall, Group, PagedCall
from receiver.client.calls.registry import GROUPS
from receiver.client.endpoint import Edition, Route
from receiver.contract.markdown import cell, table

_HEAD: Final = """\
# The platform's API

Written by `make docs` from the rows of the client; do not edit. Where the facts come from:
[platform/api.md](platform/api.md). None of them could be tried against the live service.

A handler has the API as `ctx.api` once there is an `[api]` section. Elsewhere:

```python
from yizhan.api import APIRejectedError, PlatformAPI


async def show(api: PlatformAPI, order_id: str, shop: str) -> list[str]:
    parcels = (await api.alibaba.orders.logistics(order_id)).traces
    lines = [f"{parcel.logistics_bill_no}: {len(parcel.logistics_steps)}" for parcel in parcels]
    async for offer in api.alibaba.products.search_store(seller_open_id=shop).all(limit=500):
        lines.append(f"{offer.subject_trans}: {offer.price_info and offer.price_info.price}")
    try:
        await api.alibaba.orders.cancel(order_id)
    except APIRejectedError as error:
        lines.append(f"not cancelled: {error.code} {error.meaning}")
    return lines
```

`PlatformAPI.open(settings.api)` opens one. A method takes the fields of its request by name; what
they are made of (`AddressParam`, `CargoParam`) and the replies are models of `yizhan.api`.

- **Requests** are checked before they are sent: `InvalidRequestError` names the rule and its
  source. Sent is what was given, under the platform's names, in its order, without nulls. Ids are
  text here and bare integers on the way where the page has them; money is fen, or `Money` in yuan.
- **Replies** keep what is not known (`model_extra`). A field that is missing or cannot be read is
  None or empty, and never makes the rest unreadable. Ids are text with every digit, money is
  `Money`, times have their offset; beside the platform's word for a state stands ours.
- **Refusals** are `APIRejectedError`, whether the reply says so outside or within its data: `code`
  is the one that refused, `outer_code` that of the reply, `meaning` what the pages say of it,
  `reason` the platform's text, `request_id` what its support asks for. What succeeded in part is a
  reply: see `order_list`, `failed_offer_list`, `failures`.
- **Lists** (*pages*) are awaited for the one page that was asked for, or iterated:
  `async for item in call(...).all(limit=500)`. That ends at a short page, at one with nothing new,
  and at the last one by its own numbers.
- **A call that changes something** is never sent twice by the client, since the platform has no key
  that would make it safe. Where it was sent and no usable answer came, `OutcomeUnknownError` names
  the call that shows what became of it (*settled by*), and `await api.<group>.settle(error)` makes
  that call: `done`, `not done`, or `unknown` where it shows neither and a person has to look. It
  asks for up to `api.settle_s`, since the platform may yet work on what we gave up.
- **Reads** are tried up to `api.tries` times, `Retry-After` is waited for up to 30 s, and after
  `api.breaker_failures` failures in a row the platform is left alone for a while: the error says
  until when. Calls wait for the account's rate, `live` before `replay` before `sweep`:
  `api.with_priority("sweep")` gives the same calls at another priority.

How sure a path is, and the reply's fields (the last word of a row): *documented* by the platform,
seen in *client code*, documented *upstream*, *inferred*, or *unknown*: such a path is a guess to
start from. `[api.paths]` replaces any path by the name of its row, which is the method with
underscores: `alibaba_orders_logistics = "/v2/..."`. An edition without an entry has no such call:
`InvalidRequestError` says so before anything is sent.

The last column says what `yizhan simulate` and `up --simulate` make of a call: *served*, or
*without data*, where no page says what the reply holds. Each is tested against them.
"""
NOT_SIMULATED: Final[frozenset[str]] = frozenset()
"""The rows that the simulator does not serve; it is above this package, so a test compares them."""
WITHOUT_DATA: Final = frozenset(
    {
        "addresses_save",
        "warehouse_estimate_freight",
        "warehouse_preview_freight",
        "warehouse_book_freight",
        "warehouse_update_logistics",
        "warehouse_report_inbound",
    }
)
"""The rows that the simulator answers without data."""
_EDITIONS: Final = get_args(Edition)


def api_page() -> str:
    """The whole page as Markdown."""
    contents = " · ".join(f"[{name}](#{name.replace('.', '')})" for name in GROUPS)
    sections = (part for name, group in GROUPS.items() for part in _section(name, group))
    return "\n\n".join([_HEAD.rstrip(), f"Calls: {contents}", *sections]) + "\n"


def _section(name: str, group: type[Group]) -> Iterator[str]:
    yield f"## {name}"
    yield f"{(group.__doc__ or '').partition('.')[0]}: `api.{name}`. Facts: {_sources(group)}."
    yield table(
        ("method", "what it does", "changes state", *_EDITIONS, "request", "reply", "simulated"),
        (_row(call) for call in group.calls),
    )


def _sources(group: type[Group]) -> str:
    sources = dict.fromkeys(call.endpoint.source for call in group.calls)
    links = (PurePosixPath(source).relative_to("docs") for source in sources)
    return ", ".join(f"[{link.name.partition('.')[0]}]({link})" for link in links)


def _row(call: AnyCall) -> tuple[str, ...]:
    row = call.endpoint
    return (
        f"`{call.method}({_parameters(call)})`",
        cell(
            ". ".join((row.summary, *(f"Limit: {limit}" for limit in row.limits), *_settled(call)))
        ),
        "**yes**" if row.changes_state else "no",
        *(_route(row.routes.get(edition)) for edition in _EDITIONS),
        f"`{call.request.__name__}`",
        f"{_reply(call)}, {row.reply}",
        _simulated(row.name),
    )


def _settled(call: AnyCall) -> Iterator[str]:
    """Which call shows what became of it."""
    if call.settled_by is not None:
        yield f"Settled by `{call.settled_by.row.place}`"
    elif call.endpoint.changes_state:
        yield "Settled by no call"


def _simulated(name: str) -> str:
    if name in NOT_SIMULATED:
        return "not served"
    return "without data" if name in WITHOUT_DATA else "served"


def _parameters(call: AnyCall) -> str:
    """The required parameters, then dots for those that may be left out."""
    parameters = call.parameters()
    required = [p.name for p in parameters if p.default is p.empty]
    return ", ".join([*required, *(["..."] if len(required) < len(parameters) else [])])


def _route(route: Route | None) -> str:
    return "none" if route is None else f"{route.method} `{route.path}` {route.certainty}"


def _reply(call: AnyCall) -> str:
    if isinstance(call, PagedCall):
        return f"pages, `{call.reply.__name__}`"
    return f"list of `{call.reply.__name__}`" if call.is_list else f"`{call.reply.__name__}`"
