"""The calls about addresses."""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, one, rows
from receiver.client.calls import settled_carts as shown
from receiver.client.endpoint import Endpoint, documented, guessed
from receiver.client.settlement import SettledBy
from schemas.api.addresses import AddressReadRequest, AddressSaveRequest, SavedAddress
from schemas.api.reply import Confirmation

_ROWS: Final = "docs/platform/calls-carts.md#addresses"


class Addresses(Group, prefix="addresses"):
    """The calls about addresses. Each raises `APIError`."""

    save = Call(
        Endpoint(
            "Add an address, or change one",
            {
                "v1": documented("POST", "/open/address/addOrUpdate"),
                "v2": documented("POST", "/v2/open/address/addOrUpdate"),
            },
            source=_ROWS,
            row="add or update",
            reply="documented",
            changes_state=True,
            success=(200, 0),  # the page's example has 0, and no page says which means success
        ),
        AddressSaveRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: Addresses, "read", shown.of_address, shown.is_saved),
    )
    read = Call(
        Endpoint(
            "The addresses that are stored",
            {
                "v1": guessed("POST", "/open/address/get"),
                "v2": guessed("POST", "/v2/open/address/get"),
            },
            source=_ROWS,
            row="read",
            reply="unknown",
        ),
        AddressReadRequest,
        rows(SavedAddress),
    )
