"""Views as HTML and as JSON. Every text is escaped; a misspelt name in a template is an error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from receiver.bus.read.filters import CHINA
from receiver.operations.look.documents import moment
from receiver.operations.look.verdict import in_words
from schemas.examples import EXAMPLES

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
_UNITS: Final = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))
_SCRIPTS: Final = (
    "vendor/htmx.min.js",
    "vendor/hx-csp.min.js",
    "console.js",
    "live.js",
    "follow.js",
)


def environment() -> Environment:
    """The templates of the console."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "ago": ago,
        "absolute": absolute,
        "moment": moment,
        "count": lambda number: f"{number:,}",
        "size": size,
        "duration": in_words,
        "segment": segment,
        "query": query,
        "without": without,
        "pretty": pretty,
        "zoned": zoned,
    }
    made.globals["assets"] = _assets()
    made.globals["scripts"] = _SCRIPTS
    made.globals["event_types"] = frozenset(EXAMPLES)
    return made


def as_json(view: Any) -> bytes:
    """A view as its `.json` twin gives it: times in RFC 3339, all else as in the view."""
    text = json.dumps(asdict(view), default=_plain, ensure_ascii=False, indent=2)
    return encoded(f"{text}\n")


def encoded(text: str) -> bytes:
    """As UTF-8. Half of a surrogate pair, which JSON may hold and UTF-8 may not, is escaped as JSON
    escapes it.
    """
    return text.encode("utf-8", "backslashreplace")


def ago(moment: datetime, now: datetime) -> str:
    """A time as an age, or as what is still to come."""
    seconds = (now - moment).total_seconds()
    return f"{in_words(seconds)} ago" if seconds >= 0 else f"in {in_words(-seconds)}"


def absolute(moment: datetime) -> str:
    """A time with its date and zone, in UTC and in China."""
    china = moment.astimezone(CHINA)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC · {china:%m-%d %H:%M:%S} China"


def zoned(moment: datetime, zone: str) -> str:
    """A time in `utc` or in `china`."""
    if zone == "china":
        return f"{moment.astimezone(CHINA):%Y-%m-%d %H:%M:%S} China"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def size(number: float) -> str:
    """A number of bytes in its largest unit."""
    for unit, name in _UNITS:
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number:.0f} B"


def segment(text: object) -> str:
    """A text as one segment of a path."""
    return quote(str(text), safe="", errors="replace")


def query(words: Mapping[str, str]) -> str:
    """Parameters behind a path, with their question mark; empty without any."""
    return f"?{urlencode(words, errors='replace')}" if words else ""


def without(words: Mapping[str, str], name: str) -> dict[str, str]:
    """The same parameters but one."""
    return {word: text for word, text in words.items() if word != name}


def pretty(value: Any) -> str:
    """A value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a view holds a {type(value).__name__}")


def _assets() -> dict[str, str]:
    """Each file of ours with a part of its digest, by which a new release is not mixed with what a
    browser has kept of the one before.
    """
    return {
        path.relative_to(STATIC).as_posix(): (
            f"{path.relative_to(STATIC).as_posix()}"
            f"?v={hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        )
        for path in sorted(STATIC.rglob("*"))
        if path.suffix in {".js", ".css", ".svg"}
    }
