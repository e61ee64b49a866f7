"""`yizhan import`: what an export holds, stored here; each message once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from receiver.bus.audit_record import Outcome
from receiver.cli.acting import ByOption, who
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load
from receiver.cli.options import YesOption, check_can_ask, not_empty
from receiver.cli.process import EXIT_FAILED, EXIT_PARTLY, if_stopped, refusing, run
from receiver.cli.transfer.output import confirmed, print_checked, print_import, progress_bar
from receiver.cli.transfer.standard_input import StandardInput
from receiver.composition.transfer import opened_target
from receiver.errors import ConfigurationError
from receiver.operations.audit_trail import AuditTrail
from receiver.settings import Settings
from receiver.transfer.examination import examined, numbered
from receiver.transfer.file import STANDARD, ExportReader
from receiver.transfer.importing import Import
from receiver.transfer.known import Known
from receiver.transfer.manifest import Manifest

_OUTCOMES: Final[dict[int, Outcome]] = {0: "done", EXIT_FAILED: "failed", EXIT_PARTLY: "partly"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options say."""

    file: str
    dry_run: bool
    from_root: str | None
    handlers_run: bool
    yes: bool
    as_json: bool

    def check_root(self, manifest: Manifest, settings: Settings) -> None:
        """Raise `ConfigurationError` for an export of another root, unless that is named."""
        here = settings.nats.subject_root
        if manifest.root not in {here, self.from_root}:
            raise ConfigurationError(
                f"{self.file}: is an export of the subject root {manifest.root}, and "
                f"nats.subject_root is {here}: to take it over, give --from-root {manifest.root}"
            )


@app.command(
    "import",
    rich_help_panel=REPAIR,
    epilog=examples(
        "yizhan import backup.jsonl.zst --check",
        "yizhan import backup.jsonl.zst --dry-run",
        "yizhan import backup.jsonl.zst --yes",
    ),
)
def import_(
    file: Annotated[str, typer.Argument(help="An export; - is standard input.")],
    config: ConfigOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only look whether FILE is whole; asks no NATS.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be stored.")
    ] = False,
    from_root: Annotated[
        str | None,
        typer.Option(help="The subject root of FILE, where it is another.", show_default=False),
    ] = None,
    handlers_run: Annotated[
        bool,
        typer.Option("--handlers-run", help="Go on though handlers run what is imported."),
    ] = False,
    yes: YesOption = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store what a file of `yizhan export` holds. What is there already is not stored again.

    Says what, and asks. Handlers that begin afterwards go on where they were. Exits 3 where the
    file is damaged or some lines could not be stored: the rest is; 1 where nothing is.
    """
    with refusing():
        not_empty("FILE", file, write="name a file, or - (standard input)")
        operator = who(by)
        if not (check or dry_run):
            check_can_ask(yes=yes)
    asked = _Asked(file, dry_run, from_root, handlers_run, yes, as_json)
    if check:
        run(lambda _: _check(asked))
    settings, _ = load(config, quiet=True, keep=False)
    run(lambda _: _import(asked, settings, operator))


async def _check(asked: _Asked) -> int:
    async with _opened(asked.file) as reader:
        counts, report = await examined(reader)
        print_checked(asked.file, reader, counts, report, as_json=asked.as_json)
        return EXIT_FAILED if reader.damage or report.foreign else 0


async def _import(asked: _Asked, settings: Settings, operator: str) -> int:
    with if_stopped(
        "the import was interrupted: what was stored stays, and the same command goes on with the "
        "rest"
    ):
        return await _examine_and_run(asked, settings, operator)


async def _examine_and_run(asked: _Asked, settings: Settings, operator: str) -> int:
    if asked.file != STANDARD:
        async with _opened(asked.file) as reader:
            asked.check_root(reader.manifest, settings)
            if not asked.dry_run and not asked.yes:
                counts, report = await examined(reader)
                print_checked(asked.file, reader, counts, report, as_json=False, err=asked.as_json)
                if not confirmed(as_json=asked.as_json):
                    return EXIT_FAILED
    async with _opened(asked.file) as reader:
        asked.check_root(reader.manifest, settings)
        with Known() as known:
            return await _run(asked, settings, operator, reader, known)


async def _run(
    asked: _Asked, settings: Settings, operator: str, reader: ExportReader, known: Known
) -> int:
    async with opened_target(settings, dry_run=asked.dry_run, handlers_run=asked.handlers_run) as (
        bus,
        target,
    ):
        importing = Import(target, reader.manifest, known)
        report = importing.report
        trail = AuditTrail(bus.connection, bus.subjects, operator)
        code = EXIT_FAILED
        async with contextlib.AsyncExitStack() as stack:
            if not asked.dry_run:
                act = await stack.enter_async_context(trail.act("import", target=asked.file))
            try:
                with progress_bar("importing") as bar:
                    await importing.run(numbered(reader), bar.done)
                if importing.is_of_all and not (asked.dry_run or reader.damage or report.failed):
                    await importing.begin_handlers()
                if not (reader.damage or report.failed):
                    code = 0
                elif report.well:
                    code = EXIT_PARTLY
            finally:
                if not asked.dry_run:
                    act.numbers |= report.numbers
                    act.outcome = _OUTCOMES[code]
                print_import(
                    asked.file, reader.damage, report, dry_run=asked.dry_run, as_json=asked.as_json
                )
    return code


@contextlib.asynccontextmanager
async def _opened(file: str) -> AsyncIterator[ExportReader]:
    if file == STANDARD:
        with StandardInput() as standard:
            yield await asyncio.to_thread(ExportReader, file, standard)
    else:
        with _file(file) as opened:
            yield ExportReader(file, opened)


def _file(file: str) -> BinaryIO:
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise ConfigurationError(
            f"{file}: cannot be read: {error.strerror}: name an export"
        ) from error
