"""What every reply of the API has in common. Performs no I/O.

Every field may be absent, what is not known is kept (`model_extra`), and names are read in camel
case and in snake case. Read replies with `receiver.client.reading`: a field of an unexpected type
is absent then, and does not make the rest unreadable.

A field has the platform's name in snake case, unless it says otherwise. Money is `Money` where the
unit is known, a bare number where it is not. A `status` is the platform's word; beside it stands
our own, `our_status` (so too `our_refund_status`, `our_pay_status`, `progress`). Lists keep the
platform's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.values import (
    Count,
    Identifier,
    SpelledFloat,
    Word,
    absent_if_blank,
    at_most,
    read_decimal,
    read_id,
)


class ReplyModel(BaseModel):
    """The base of what `data` is read as."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,  # at a start, of all the replies none is read
    )

    bare_list: ClassVar[str | None] = None
    """The field that a list is which comes without the object round it."""
    bare_value: ClassVar[str | None] = None
    """The field that a text, a number or a boolean is which comes alone."""
    bare_object: ClassVar[str | None] = None
    """The field that an object is which comes without the object round it."""
    known_by: ClassVar[tuple[str, ...]] = ()
    """The fields by which an object is recognised inside a wrapper; none: by any of its own."""
    identified_by: ClassVar[tuple[str, ...]] = ()
    """The fields by which one item of a list is known from another, the first that is there."""
    may_be_null: ClassVar[bool] = False
    """Whether `data` that is null is a reply without content; elsewhere it is a refusal."""

    def accomplished(self) -> bool:
        """Whether something was done or given, although the reply's own verdict is a refusal."""
        return False

    def refused(self) -> Sequence[BaseModel | str]:
        """What the reply lists as refused; all was, where nothing is `accomplished`."""
        return ()


EntryT = TypeVar("EntryT")
MAX_ENTRIES: Final = 100_000
Entries = Annotated[tuple[EntryT, ...], BeforeValidator(at_most(MAX_ENTRIES))]
"""A list, empty for null; the size of a reply bounds it long before the limit does."""


def _text(value: Any) -> Any:
    if isinstance(value, SpelledFloat):
        return value.spelling
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return absent_if_blank(value)


Text = Annotated[str | None, BeforeValidator(_text)]
"""Free text, also from a number; a blank one is absent."""
Flag = Annotated[bool | None, BeforeValidator(absent_if_blank)]
"""True or false, also as text and as 1 and 0."""
Number = Annotated[Decimal | None, BeforeValidator(read_decimal)]
"""A measure, or an amount whose unit the platform does not say."""
Texts = Entries[Annotated[str, BeforeValidator(_text)]]
"""A list of texts, empty for null."""
Ids = Entries[Annotated[str, BeforeValidator(read_id)]]
"""A list of ids as text, empty for null; placeholders are left out."""
Object = dict[str, Any] | None
"""An object whose fields are not documented."""


class Envelope(ReplyModel):
    """What wraps every reply; `code` 200 is success (docs/platform/api.md#reply-envelope)."""

    request_id: Word = None
    code: Word = None
    develop_id: Identifier = None
    msg: Text = None
    data: Any = None


class Verdict(ReplyModel):
    """The second result of some calls (docs/platform/api.md#verdict-within-data)."""

    success: Flag = Field(default=None, validation_alias=AliasChoices("success", "cancelSuccess"))
    error_code: Word = Field(
        default=None, validation_alias=AliasChoices("errorCode", "bizErrorCode")
    )
    code: Word = Field(default=None, validation_alias=AliasChoices("code", "resultCode"))
    error_text: Text = Field(
        default=None,
        validation_alias=AliasChoices(
            *("errorInfo", "errorMsg", "errorMessage", "erroMsg", "bizErrorMsg", "innerErrorMsg")
        ),
    )
    message: Text = Field(default=None, validation_alias=AliasChoices("message", "msg"))

    @property
    def reason(self) -> str | None:
        """Why it failed, under whichever of its names."""
        return self.error_text or self.message


class Confirmation(ReplyModel):
    """The reply of a call that only does something; a refusal is an error, not a reply.

    `success` is None where the platform did not say.
    """

    bare_value = "success"
    known_by = ("success",)
    may_be_null = True

    success: Flag = None


ItemT = TypeVar("ItemT", bound=BaseModel)


class Page(ReplyModel, Generic[ItemT]):
    """One page of a list; a bare list is a page without numbers.

    docs/platform/calls-goods.md#1688-searches for the names of the searches,
    docs/platform/calls-orders.md#1688-order-detail-and-list for those of an order list.
    """

    bare_list = "items"
    known_by = ("total_records", "total_page", "page_size", "current_page")
    may_be_null = True

    total_records: Count = Field(
        default=None,
        validation_alias=AliasChoices(
            *("totalRecords", "totalRecord", "total", "resultsTotal", "totalCount")
        ),
    )
    total_page: Count = Field(
        default=None, validation_alias=AliasChoices("totalPage", "totalPages")
    )
    page_size: Count = None
    current_page: Count = Field(
        default=None, validation_alias=AliasChoices("currentPage", "pageNo", "beginPage", "page")
    )
    items: Entries[ItemT] = Field(
        default=(),
        validation_alias=AliasChoices(
            *("data", "result", "list", "records", "items", "purchaseOrders")
        ),
    )

    def accomplished(self) -> bool:
        """Whether there is anything on the page."""
        return bool(self.items)
