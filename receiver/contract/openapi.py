"""The OpenAPI 3.1 document of the receiver's own endpoints, with every answer they give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, get_args

from receiver.contract.asyncapi import CONTRACT_VERSION
from receiver.dialects import DIALECTS
from receiver.ingest.storing import Outcome
from schemas.json_schema import DIALECT

_DESCRIPTION: Final = """\
Where the platforms POST their callbacks. 200 says that the callback is stored durably, that it was
stored before, or that the request was a check of the URL that carries nothing. Any other answer
says that it was not stored, but for 503: there it may have been, and the same bytes sent again
become the same callback.

Which credentials a source needs is set for each source: the headers of its dialect, the secret
last segment of the path, both, or none. Dialect `aop` signs within the form.
"""
_SIGNATURE_HEADERS: Final = {
    "accessKey": ("access-key", "Dialect `xport`: the key that the platform gave."),
    "timestamp": ("timestamp", "Dialect `xport`: epoch seconds or milliseconds."),
    "nonce": ("nonce-str", "Dialect `xport`: 32 random characters; some senders leave it out."),
    "signature": (
        "signature",
        "Dialect `xport`: upper-case hex of MD5(access-key + timestamp + nonce-str + secret).",
    ),
    "authorization": (
        "authorization",
        "Dialect `global`: hex of HMAC-SHA256(app secret, app key + body).",
    ),
}
_ERRORS: Final[dict[str, tuple[str, str]]] = {
    "400": ("malformed", "Not readable, at a source without verification. Not stored."),
    "401": ("unauthorized", "Credentials are bad, missing, stale or replayed. Not stored."),
    "404": ("unknown source", "No source of this name is configured. Not stored."),
    "405": ("method not allowed", "Only GET, HEAD and POST are answered."),
    "413": ("too large", "The body is over the limit (1 MiB unless set). Not stored."),
    "415": ("unsupported content type", "Not a type of the source's dialect. Not stored."),
    "500": ("internal", "A defect of the receiver. Not stored, as far as it knows."),
    "503": ("unavailable", "The log did not acknowledge in time: send the same bytes again."),
}
_POST_ERRORS: Final = ("400", "401", "404", "413", "415", "500", "503")
_CHECK_ERRORS: Final = ("401", "404", "500")


def openapi(*, server: str = "http://127.0.0.1:8080") -> dict[str, Any]:
    """The document; `server` is the URL by which the senders reach the receiver."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Yizhan receiver",
            "version": CONTRACT_VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": DIALECT,
        "servers": [{"url": server}],
        "paths": {
            "/callbacks/{source}": _callbacks("", [_source()]),
            "/callbacks/{source}/{path_token}": _callbacks("WithToken", [_source(), _token()]),
            "/healthz": _get("healthz", "Whether the process lives", {"200": _alive()}),
            "/readyz": _get(
                "readyz",
                "Whether a message can be stored now",
                {"200": _ready(), "503": _not_ready()},
            ),
            "/metrics": _get(
                "metrics",
                "Counts of deliveries, depth and age of the spool, for Prometheus",
                {"200": {"description": "Text", "content": {"text/plain": {}}}},
            ),
            "/asyncapi.json": _document("asyncapi", "The events, as an AsyncAPI 3.0 document"),
            "/openapi.json": _document("openapi", "This document"),
        },
        "components": {"schemas": _schemas(), "securitySchemes": _security_schemes()},
    }


def _callbacks(suffix: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "description": "Any other method is answered 405.",
        "parameters": parameters,
        "post": {
            "operationId": f"postCallback{suffix}",
            "summary": "Store a callback",
            "description": "An empty body and `{}` are checks of the URL: 200, nothing stored.",
            "security": [
                {"accessKey": [], "timestamp": [], "nonce": [], "signature": []},
                {"accessKey": [], "timestamp": [], "signature": []},
                {"authorization": []},
                {},
            ],
            "requestBody": {"required": False, "content": _contents()},
            "responses": {"200": _receipt()} | _errors(_POST_ERRORS),
        },
        "get": _check(f"checkCallback{suffix}"),
        "head": _check(f"probeCallback{suffix}", body=False),
    }


def _source() -> dict[str, Any]:
    return {
        "name": "source",
        "in": "path",
        "required": True,
        "description": "The source's name in the settings.",
        "schema": {"type": "string"},
        "example": "pandapon",
    }


def _token() -> dict[str, Any]:
    return {
        "name": "path_token",
        "in": "path",
        "required": True,
        "description": "The secret segment, where the source is set to ask for one.",
        "schema": {"type": "string", "minLength": 16, "maxLength": 256},
    }


def _contents() -> dict[str, Any]:
    """What each dialect's senders POST, by media type."""
    media = sorted(set().union(*(dialect.content_types for dialect in DIALECTS.values())))
    return {name: {"schema": _body_schema(name)} for name in media}


def _body_schema(media: str) -> dict[str, Any]:
    names = [name for name, dialect in DIALECTS.items() if media in dialect.content_types]
    description = f"Of dialect {' and '.join(f'`{name}`' for name in names)}."
    if media == "application/x-www-form-urlencoded":
        fields = {
            "message": {"type": "string", "description": "The callback as JSON text."},
            "_aop_signature": {"type": "string", "description": "Covers every other field."},
        }
        return {"type": "object", "description": description, "properties": fields}
    if media.endswith("/json"):
        return {"type": "object", "description": description}
    return {"type": "string", "description": f"{description} The body is JSON all the same."}


def _check(operation_id: str, *, body: bool = True) -> dict[str, Any]:
    errors = _errors(_CHECK_ERRORS)
    answer = _json("The URL is right; nothing was stored.", _ref("Receipt"))
    if not body:
        answer = {"description": answer["description"]}
        errors = {code: {"description": error["description"]} for code, error in errors.items()}
    return {
        "operationId": operation_id,
        "summary": "Check the URL, as the platform's console does",
        "responses": {"200": answer} | errors,
    }


def _errors(codes: Iterable[str]) -> dict[str, Any]:
    answers = {code: _json(_ERRORS[code][1], _ref("Error")) for code in codes}
    for code in answers:
        answers[code]["content"]["application/json"]["example"] = {"error": _ERRORS[code][0]}
    if "503" in answers:
        header = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        answers["503"]["headers"] = {"Retry-After": header}
    return answers


def _receipt() -> dict[str, Any]:
    description = "Stored, stored before, spooled, kept in quarantine, or a check of the URL."
    return _json(description, _ref("Receipt"))


def _alive() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": "alive"}},
    }
    return _json("It is alive.", schema)


def _ready() -> dict[str, Any]:
    description = (
        "A message can be stored, in NATS or in the spool; with a `reason`, in one of them alone."
    )
    schema = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": "ready"}} | _details(),
    }
    return _json(description, schema)


def _not_ready() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["status", "reason"],
        "properties": {"status": {"const": "not ready"}} | _details(),
    }
    return _json("Neither NATS nor the spool can store a message.", schema)


def _details() -> dict[str, Any]:
    """What `/readyz` says beside its status, each member only where there is something to say."""
    return {
        "reason": {"type": "string", "description": "Why NATS, the spool or both cannot store."},
        "spool": {
            "type": "object",
            "description": "What waits in the spool; absent where it is off or cannot be read.",
            "required": ["depth", "oldest_age_s"],
            "properties": {
                "depth": {"type": "integer", "description": "Callbacks."},
                "oldest_age_s": {"type": "number", "description": "Seconds the oldest waits."},
            },
        },
        "warnings": {
            "type": "array",
            "description": "What to know of streams that can store, a sentence each: a bound that "
            "is nearly reached, or wider than the settings. Absent where there is none.",
            "items": {"type": "string"},
            "minItems": 1,
        },
    }


def _document(name: str, summary: str) -> dict[str, Any]:
    return _get(name, summary, {"200": _json("The document.", {"type": "object"})})


def _get(operation_id: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"operationId": operation_id, "summary": summary, "responses": responses}}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Any]:
    return {
        "Receipt": {
            "type": "object",
            "required": ["status"],
            "properties": {
                "status": {"enum": list(get_args(Outcome))},
                "callback_id": {
                    "type": "string",
                    "description": "The id of the raw message and the `ce-callbackid` of its "
                    "events; absent for a check.",
                    "pattern": "^[0-9a-f]{32}$",
                },
            },
        },
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"enum": [word for word, _ in _ERRORS.values()]}},
        },
    }


def _security_schemes() -> dict[str, Any]:
    return {
        name: {"type": "apiKey", "in": "header", "name": header, "description": description}
        for name, (header, description) in _SIGNATURE_HEADERS.items()
    }
