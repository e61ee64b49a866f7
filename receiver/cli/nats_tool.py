"""The commands of the `nats` tool (natscli) that do about the same as ours, to be printed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import islice
from typing import Final

from receiver.bus.durables import PREFIX
from receiver.bus.subjects import Subjects

_SHOWN: Final = 5
"""Of an act on many messages so many commands are shown."""


def view(stream: str, subject: str = "") -> str:
    """The messages of a stream, on a subject or on all."""
    return f"nats stream view {stream}{subject and f' --subject={shlex.quote(subject)}'}"


def get(stream: str, seq: int) -> str:
    """One message."""
    return f"nats stream get {stream} {seq}"


def last(stream: str, subject: str) -> str:
    """The last message of a subject."""
    return f"nats stream get {stream} --last-for={shlex.quote(subject)}"


def removed(stream: str, sequences: Iterable[int]) -> list[str]:
    """Deleting messages: a command for each of the first."""
    return [f"nats stream rmm {stream} {seq}" for seq in islice(sequences, _SHOWN)]


def entry(subjects: Subjects, key: str) -> str:
    """One entry of the bucket of states, effects and replays."""
    return f"nats kv get {subjects.state_bucket} {shlex.quote(key)}"


def entries(subjects: Subjects, below: str) -> str:
    """The entries of that bucket below a prefix, as they change."""
    return f"nats kv watch {subjects.state_bucket} {shlex.quote(f'{below}.>')}"


def consumer(verb: str, subjects: Subjects, handler: str, *more: str) -> str:
    """An act on the durable consumer of a handler."""
    parts = ("nats", "consumer", verb, subjects.stream, f"{PREFIX}{handler}", *more)
    return shlex.join(parts)


def backups(streams: Iterable[str]) -> list[str]:
    """Whole streams into directories, whatever is selected of them."""
    return [f"nats stream backup {stream} backup/{stream}" for stream in streams]
