"""Calls and their replies in a file, personal data masked: a fixture for `ReplayTransport`.

The file is JSON lines: a header, then one exchange a line, in the order of the replies.

    {"format": "yizhan-api-recording", "version": 1}
    {"row": "alibaba_orders_detail",
     "request": {"method": "POST", "path": "/v2/...", "query": {}, "body": {...}, "files": {}},
     "status": 200, "retry_after": null, "reply": {"code": 200, ...}}

Neither key, nonce, time nor signature of a call is written. Of a file that was sent its size is, of
a reply that is not JSON the size, as `not_json`, in place of `reply`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import httpx2

from receiver.client.calls.registry import CALLS
from receiver.client.endpoint import Outgoing
from receiver.client.masking import masked_reply, masked_request
from receiver.errors import RecordingError
from receiver.private_files import open_private

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI

HEADER: Final = {"format": "yizhan-api-recording", "version": 1}


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A call as it is found again: masked, without what differs from one call to the next."""

    method: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any] | None
    files: dict[str, int]
    """The size in bytes of each."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line: `reply` is the masked JSON; where there was none, `not_json` is its bytes."""

    row: str
    request: AskedFor
    status: int
    retry_after: str | None = None
    reply: Any = None
    not_json: int | None = None


@contextlib.contextmanager
def recording(api: PlatformAPI, path: str | Path) -> Iterator[None]:
    """Add every exchange of `api` to a file while the block runs.

    A new file is for its owner alone. A call that got no answer is not recorded. Raises
    `RecordingError` where the file cannot be written, or is something else.
    """
    hooks = api.http.event_hooks["response"]
    with _opened(Path(path)) as file:

        async def record(response: httpx2.Response) -> None:
            body = await response.aread()
            _write(file, _exchange(response, body))

        hooks.append(record)
        try:
            yield
        finally:
            hooks.remove(record)


def read_recording(path: str | Path) -> list[Exchange]:
    """The exchanges of a file; raises `RecordingError`."""
    try:
        header, *lines = Path(path).read_text(encoding="utf-8").splitlines()
        _check_header(Path(path), header)
        return [_read(json.loads(line)) for line in lines]
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise RecordingError(f"{path}: is no recording of calls, or a damaged one") from error


def asked_for(request: httpx2.Request) -> tuple[str, AskedFor]:
    """The row that a request of our client calls, and what it asks for."""
    try:
        row, going = request.extensions["row"], request.extensions["outgoing"]
    except KeyError:
        raise RecordingError("this request was not made by PlatformAPI") from None
    assert isinstance(going, Outgoing)
    files = {name: len(data) for name, data in (going.files or {}).items()}
    query, body = masked_request(going.query), masked_request(going.body)
    return row, AskedFor(going.method, going.path, query, body, files)


def _exchange(response: httpx2.Response, body: bytes) -> Exchange:
    row, asked = asked_for(response.request)
    retry_after = response.headers.get("retry-after")
    try:
        reply = masked_reply(json.loads(body), bare=_bare_value(row))
    except (ValueError, RecursionError):
        return Exchange(row, asked, response.status_code, retry_after, not_json=len(body))
    return Exchange(row, asked, response.status_code, retry_after, reply)


def _bare_value(row: str) -> str | None:
    """What a reply is whose `data` is one value alone."""
    return getattr(CALLS[row].reply, "bare_value", None)


def _opened(path: Path) -> TextIO:
    """The file, ready for the next line; raises `RecordingError`."""
    try:
        if path.exists() and path.stat().st_size:
            with path.open(encoding="utf-8", errors="replace") as there:
                _check_header(path, there.readline())
            return path.open("a", encoding="utf-8")
        path.unlink(missing_ok=True)
        file = open_private(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    _write_line(file, HEADER)
    return file


def _unwritable(path: Path | str, error: OSError) -> RecordingError:
    return RecordingError(f"{path}: cannot be written: {error.strerror}")


def _check_header(path: Path, line: str) -> None:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if header == HEADER:
        return
    if isinstance(header, dict) and header.get("format") == HEADER["format"]:
        raise RecordingError(f"{path}: is a recording of another version: record the calls anew")
    raise RecordingError(f"{path}: is no recording of calls: name another file")


def _read(line: dict[str, Any]) -> Exchange:
    return Exchange(**line | {"request": AskedFor(**line["request"])})


def _write(file: TextIO, exchange: Exchange) -> None:
    line = asdict(exchange)
    del line["reply" if exchange.not_json is not None else "not_json"]
    _write_line(file, line)


def _write_line(file: TextIO, line: Any) -> None:
    # Half a character, which a platform may write, is in no file of UTF-8.
    text = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace").decode()
    try:
        file.write(f"{text}\n")
        file.flush()  # a process that dies leaves whole lines behind
    except OSError as error:
        raise _unwritable(file.name, error) from error
