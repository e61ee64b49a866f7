"""One callback: how it came, its bytes, and the events that were made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.path_text import TEXT
from receiver.console.screen import Asked, Screen
from receiver.console.screens.event import attributes, found
from receiver.operations.look.bodies import hex_rows
from receiver.operations.look.single import CALLBACKS, callback_view


@dataclass(frozen=True, slots=True)
class CallbackView:
    """The documents of `yizhan callback --json`. `hex` are the first 16 KiB as they came, where
    they are revealed: what they hold cannot be masked.
    """

    title: str
    command: str
    seq: int
    callback: dict[str, Any]
    attributes: dict[str, Any]
    events: list[dict[str, Any]]
    hex: list[str] | None
    is_revealed: bool


async def read(desk: Desk, asked: Asked) -> CallbackView:
    """By its sequence or its id; raises `GoneError` where it is not stored."""
    stored = await found(desk, asked.path["which"], CALLBACKS)
    document = await callback_view(desk.archive, stored, reveal=asked.reveal)
    return view(document, hex_rows(stored.body) if asked.reveal else None)


def view(document: dict[str, Any], rows: list[str] | None) -> CallbackView:
    """The page of a document, revealed where there are rows of bytes."""
    callback, revealed = document["callback"], rows is not None
    seq, quarantined = callback["stream_seq"], callback["quarantined"]
    command = "quarantine show" if quarantined else "callback"
    return CallbackView(
        title=f"{'Quarantined callback' if quarantined else 'Callback'} #{seq}",
        command=f"yizhan {command} '#{seq}'{' --reveal' if revealed else ''}",
        seq=seq,
        callback=callback,
        attributes=attributes(callback),
        events=document["events"],
        hex=rows,
        is_revealed=revealed,
    )


SCREEN: Final = Screen(
    name="callback", path=f"/callbacks/{{which:{TEXT}}}", template="callback.html", read=read
)
