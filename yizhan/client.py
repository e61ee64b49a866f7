"""The platform's API by itself, for scripts: no NATS, no receiver, no settings file.

    async with PlatformAPI.open(access_key="...", secret="...") as api:
        order = await api.alibaba.orders.detail("2700000000000000017")

`yizhan.api` holds the parts of requests and the models of replies. docs/api-client.md is the guide.
"""

from receiver.client.pages import Pages
from receiver.client.platform import PlatformAPI
from receiver.client.recording import recording
from receiver.client.settlement import Settled
from receiver.errors import (
    APIError,
    APIRejectedError,
    APIUnavailableError,
    ConfigurationError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    RecordingError,
)

__all__ = [
    "APIError",
    "APIRejectedError",
    "APIUnavailableError",
    "ConfigurationError",
    "InvalidRequestError",
    "OutcomeUnknownError",
    "Pages",
    "PlatformAPI",
    "RateLimitedError",
    "RecordingError",
    "Settled",
    "recording",
]
