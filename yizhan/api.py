"""The platform's API as a handler has it in `ctx.api`, what it raises and what it replies."""

from receiver.client.platform import PlatformAPI
from receiver.errors import APIError, APIRejectedError, APIUnavailableError, RateLimitedError
from schemas.api import (
    AlibabaLogisticsStep,
    AlibabaLogisticsTrace,
    AlibabaOrderDetail,
    AlibabaTraceNode,
    TaobaoLogisticsDetail,
    TaobaoLogisticsStep,
    TaobaoOrderDetail,
    TaobaoParcel,
)

__all__ = [
    "APIError",
    "APIRejectedError",
    "APIUnavailableError",
    "AlibabaLogisticsStep",
    "AlibabaLogisticsTrace",
    "AlibabaOrderDetail",
    "AlibabaTraceNode",
    "PlatformAPI",
    "RateLimitedError",
    "TaobaoLogisticsDetail",
    "TaobaoLogisticsStep",
    "TaobaoOrderDetail",
    "TaobaoParcel",
]
