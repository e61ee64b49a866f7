"""What a wire format of your own is made of; docs/adding-a-dialect.md shows one.

A package offers it by an entry point of the group `yizhan.dialects`, whose name is the `dialect` of
the settings and whose value leads to a `Dialect`.
"""

from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects.credentials import matching_secret, required_header, single_header
from receiver.dialects.dialect import Dialect
from receiver.errors import MalformedCallbackError, VerificationError
from receiver.messages.json_text import decoded, read_object
from receiver.messages.reading import Message
from receiver.messages.recognition import events_of

__all__ = [
    "Callback",
    "Dialect",
    "InboundRequest",
    "MalformedCallbackError",
    "Message",
    "Proof",
    "VerificationError",
    "VerifiedRequest",
    "decoded",
    "events_of",
    "matching_secret",
    "read_object",
    "required_header",
    "single_header",
]
