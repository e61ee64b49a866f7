"""Addresses of the account's users (docs/platform/calls-carts.md#addresses)."""

from __future__ import annotations

from schemas.api.reply import ReplyModel, Text
from schemas.api.request import IntegerId, PlainText, request, short_request
from schemas.values import Identifier


@request
class AddressSaveRequest:
    """An address; one with an `id` is changed, one without is new."""

    id: IntegerId | None = None
    name: PlainText | None = None
    province: PlainText | None = None
    city: PlainText | None = None
    district: PlainText | None = None
    address: PlainText | None = None
    phone: PlainText | None = None


@short_request
class AddressReadRequest:
    """Which address, or all of them; the page is not known."""

    id: IntegerId | None = None


class SavedAddress(ReplyModel):
    """An address: personal data. The names are those that a save takes."""

    identified_by = ("id",)

    id: Identifier = None
    name: Text = None
    province: Text = None
    city: Text = None
    district: Text = None
    address: Text = None
    phone: Text = None
