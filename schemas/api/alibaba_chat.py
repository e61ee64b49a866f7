"""The chat with a seller of 1688 (docs/platform/calls-goods.md#openuid-to-wangwang)."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from schemas.api.reply import ReplyModel, Text
from schemas.api.request import PlainText, request


@request
class OpenUidRequest:
    """A seller's open id, and the offer it was met with, which the page lists."""

    offer_id: PlainText | None = None
    open_uid: PlainText


class Wangwang(ReplyModel):
    """A seller's name in the chat, or the chat's URL: the menus of the editions differ.

    docs/platform/calls-goods.md#openuid-to-wangwang
    """

    bare_value = "contact"

    contact: Text = Field(
        default=None,
        description="The nickname or the URL, as it came.",
        validation_alias=AliasChoices("wangwangNick", "wangwangUrl", "nick", "url", "contact"),
    )

    @property
    def url(self) -> str | None:
        """The chat's URL, where that is what came."""
        is_url = self.contact is not None and self.contact.startswith(("http://", "https://"))
        return self.contact if is_url else None

    @property
    def nick(self) -> str | None:
        """The nickname, where that is what came."""
        return None if self.url else self.contact
