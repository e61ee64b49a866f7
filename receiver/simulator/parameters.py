"""The parameters of a call out of its path, its query and its body."""

from __future__ import annotations

import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, Final, cast

from starlette.requests import Request

from receiver.simulator.asked import Asked, Edition, UnreadableError

_SIGNED: Final = frozenset({"timestamp", "sign"})


async def asked_by(request: Request, edition: Edition) -> Asked:
    """What a request asks for: raises `UnreadableError` for a body that is no JSON object."""
    query = {name: value for name, value in request.query_params.items() if name not in _SIGNED}
    parameters = {**request.path_params, **query}
    if request.method != "POST":
        return Asked(edition, parameters, in_query=True)
    body = await request.body()
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return _from_form(request, edition, parameters, body)
    return Asked(edition, parameters | _json_object(body))


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the body must be JSON") from error
    if not isinstance(read, dict):
        raise UnreadableError("the body must be a JSON object")
    return read


def _from_form(
    request: Request, edition: Edition, parameters: dict[str, Any], body: bytes
) -> Asked:
    """The parts of a form with files; they are written as those of a mail, whose parser reads them.

    https://www.rfc-editor.org/rfc/rfc7578
    """
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    files: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", "", header="content-disposition"))
        content = cast(bytes, part.get_payload(decode=True))
        if part.get_filename() is None:
            parameters[name] = content.decode()
        else:
            files[name] = content
    return Asked(edition, parameters, files)
