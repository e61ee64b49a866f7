"""Which error it is that no usable answer came. Performs no I/O."""

from __future__ import annotations

from receiver.client.endpoint import Endpoint
from receiver.errors import APIUnavailableError, OutcomeUnknownError


def unavailable(endpoint: Endpoint) -> type[APIUnavailableError]:
    """The error for a request that was sent: a change may have been made all the same."""
    return OutcomeUnknownError if endpoint.changes_state else APIUnavailableError
