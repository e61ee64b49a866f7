"""The parameters of a request: of a query, and of a form that was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from receiver.bus.read.filters import Filters
from receiver.errors import ConfigurationError
from receiver.operations.selecting import FIELDS, chosen

_LIMIT_BYTES: Final = 64 * 1024
_LIMIT_FIELDS: Final = 200
_FORM: Final = "application/x-www-form-urlencoded"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; raises `ConfigurationError` for what is none, or too large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise ConfigurationError(f"the form is sent as {kind or 'nothing'}: send it as {_FORM}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LIMIT_BYTES:
            raise ConfigurationError(f"the form is too large: at most {_LIMIT_BYTES} bytes")
    return parameters(body.decode("utf-8", "replace"))


def parameters(text: str) -> dict[str, str]:
    """The parameters of a query or a form; one that is empty is left out, of several with one name
    the last is taken. Raises `ConfigurationError` for too many.
    """
    try:
        pairs = parse_qsl(text, max_num_fields=_LIMIT_FIELDS)
    except ValueError:
        raise ConfigurationError(f"more than {_LIMIT_FIELDS} parameters") from None
    return {name: value.strip() for name, value in pairs if value.strip()}


def words_of(given: Mapping[str, str], taken: Sequence[str]) -> dict[str, str]:
    """Those of the parameters that are filters of a screen."""
    return {word: given[word] for word in taken if word in given}


def filters_of(words: Mapping[str, str]) -> Filters:
    """The filters that they say, as the shell reads its options; raises `ConfigurationError`."""
    fields = {FIELDS[word]: text for word, text in words.items()}
    limit = fields.pop("limit", None)
    if limit is not None and not (limit.isascii() and limit.isdecimal() and len(limit) < 10):
        raise ConfigurationError(f"limit {limit}: write a whole number")
    return chosen(**fields, limit=None if limit is None else int(limit), prefix="")
