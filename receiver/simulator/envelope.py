"""The envelope of a callback in each dialect, and in each form that may come. Performs no I/O.

The forms: docs/platform/callbacks.md#envelope-of-xport.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from receiver.simulator.gateway import SELLER_ID
from receiver.simulator.trade import Notice

_PLATFORMS: Final = {"taobao": 0, "1688": 1}
_PREFIXES: Final = {"taobao": "TAOBAO_", "1688": "1688_"}
_EXTRA: Final = "simulatedExtra"
"""A field that no page names: new ones appear without notice."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write an envelope; the default is the one that the samples show.

    `as_text`: the body is a string that holds JSON (None: as the message's own page shows it).
    `other_prefix`: the type's platform prefix is left out where it is usual and put where it is
    not. `platform`: how `messagePlatform` comes.
    """

    as_text: bool | None = None
    other_prefix: bool = False
    platform: Literal["present", "null", "missing"] = "present"
    timed: bool = True
    extra: bool = False

    @classmethod
    def drawn(cls, chance: random.Random) -> Self:
        """A form by chance, the usual one most of the time.

        At most one of prefix and platform is unusual, so that something always names the channel of
        a message that is known by its prefix.
        """
        platform: Literal["present", "null", "missing"] = "present"
        other_prefix = chance.random() < 0.1
        if not other_prefix and chance.random() < 0.1:
            platform = "null" if chance.random() < 0.5 else "missing"
        return cls(
            as_text=(chance.random() < 0.5) if chance.random() < 0.2 else None,
            other_prefix=other_prefix,
            platform=platform,
            timed=chance.random() >= 0.05,
            extra=chance.random() < 0.05,
        )


def type_name(notice: Notice, form: Form) -> str:
    """The `messageType` as it is sent."""
    name, prefix = notice.message_type, _PREFIXES[notice.channel]
    if not form.other_prefix:
        return name
    return name.removeprefix(prefix) if name.startswith(prefix) else prefix + name


def envelope(notice: Notice, form: Form, *, pushed_at_ms: int) -> bytes:
    """The JSON of one callback."""
    extra = {_EXTRA: "1"} if form.extra else {}
    body: dict[str, Any] | str = notice.body | extra
    if notice.ka if form.as_text is None else form.as_text:
        body = _json(body)
    outer: dict[str, Any] = {"messageType": type_name(notice, form), "messageBody": body}
    if form.platform != "missing":
        present = form.platform == "present"
        outer["messagePlatform"] = _PLATFORMS[notice.channel] if present else None
    outer["timestamp"] = str(pushed_at_ms) if form.timed else None
    return _json(outer | extra).encode()


def message_of_aop(notice: Notice, message_id: int, *, born_at_ms: int) -> bytes:
    """The JSON that the form of `aop` holds (docs/platform/callbacks.md#message-of-aop)."""
    message = {
        "msgId": message_id,
        "gmtBorn": born_at_ms,
        "type": notice.message_type,
        "userInfo": "b2b-1000001",
        "data": notice.body,
    }
    return _json(message).encode()


def envelope_of_global(notice: Notice, *, pushed_at_ms: int) -> bytes:
    """The JSON of one push of `global` (docs/platform/callbacks.md#envelope-of-global)."""
    outer = {
        "seller_id": SELLER_ID,
        "message_type": int(notice.message_type),
        "data": notice.body,
        "timestamp": pushed_at_ms // 1000,
        "site": "taobao_hk",
    }
    return _json(outer).encode()


def pushed_again(body: bytes, *, pushed_at_ms: int) -> bytes:
    """The same callback under another push time, where it has one."""
    outer = json.loads(body)
    if outer["timestamp"] is not None:
        outer["timestamp"] = str(pushed_at_ms)
    return _json(outer).encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
