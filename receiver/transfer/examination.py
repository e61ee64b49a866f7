"""Whether a file is a whole export; nothing is stored."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import islice

from receiver.bus.subjects import Subjects
from receiver.errors import DecodingError
from receiver.transfer.file import ExportReader, Numbered
from receiver.transfer.kinds import kind_of
from receiver.transfer.line import decode_line
from receiver.transfer.report import Report

_CHUNK = 256


async def numbered(reader: ExportReader) -> AsyncIterator[Numbered]:
    """The lines of a file, read beside the event loop: standard input may keep one waiting."""
    lines = iter(reader)
    while chunk := await asyncio.to_thread(_next, lines):
        for line in chunk:
            yield line


def _next(lines: Iterator[Numbered]) -> list[Numbered]:
    return list(islice(lines, _CHUNK))


async def examined(reader: ExportReader) -> tuple[Counter[str], Report]:
    """How many lines of each kind there are, and those that are none. `reader.damage` says what is
    wrong with the whole."""
    counts: Counter[str] = Counter()
    report = Report()
    subjects = Subjects(reader.manifest.root)
    async for line in numbered(reader):
        try:
            kind = kind_of(decode_line(line.raw).stored.nats_subject, subjects)
            if kind is None:
                raise DecodingError("its subject is none of an export")
        except DecodingError as error:
            report.fail(line.number, str(error))
        else:
            counts[kind] += 1
    return counts, report
