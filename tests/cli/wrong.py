"""Wrong settings and commands, and the page that shows what Yizhan says of each.

`python -m tests.cli.wrong` runs them all and prints `docs/errors.md`.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.cli.conftest import Ended, Yizhan

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "errors.md"
SETTINGS: Final = "yizhan.toml"
HANDLERS: Final = "my_handlers.py"
CONFIRMING: Final = """\
from yizhan import Router
from yizhan.events import OrderCreated
router = Router()
@router.on(OrderCreated, trust="requeried")
async def book(event, ctx): ...
"""

_SOURCE: Final = '[[sources]]\nname = "shop"\ndialect = "xport"\n'
_SIGNED: Final = f'{_SOURCE}verification = "signature"\naccess_key = "key"\n'
_TOKEN: Final = f'{_SOURCE}verification = "path_token"\n'
_API: Final = '[api]\naccess_key = "key"\n'
_CALLING: Final = f'{_API}secret = "s"\nbase_url = "http://127.0.0.1:9"\n'


@dataclass(frozen=True)
class Wrong:
    """A command in a directory with `files`; a name that ends with `/` is a directory."""

    what: str
    command: str
    files: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    def lay_out(self, directory: Path) -> None:
        for name, text in self.files.items():
            if name.endswith("/"):
                (directory / name).mkdir()
            else:
                (directory / name).write_text(text, encoding="utf-8")

    @property
    def words(self) -> list[str]:
        return shlex.split(self.command)

    async def run(self, directory: Path) -> Ended:
        # Ports of the environment would hide that a settings file names a wrong one.
        ports = {"YIZHAN_NATS__PORT": "", "YIZHAN_RECEIVER__PORT": "", "COLUMNS": "120"}
        environ = ports | dict(self.environ)
        return await Yizhan(directory).run(*self.words, within_s=90, **environ)


def settings(text: str) -> dict[str, str]:
    return {SETTINGS: text}


DATA: Final[dict[str, str]] = {"yizhan-data/": ""}

WRONG: Final = (
    # settings
    Wrong("a key that does not exist", "up", settings("[nats]\nprot = 4222\n")),
    Wrong("a section that does not exist", "up", settings("[reciever]\nport = 8080\n")),
    Wrong("a file that is not TOML", "up", settings("[nats\n")),
    Wrong("a file that is not there", "up --config other.toml"),
    Wrong("a directory as the file", "up --config .", DATA),
    Wrong("a port out of range", "receive", settings("[receiver]\nport = 70000\n")),
    Wrong("a port that is no number", "receive", settings('[receiver]\nport = "http"\n')),
    Wrong("a list written as text", "work", settings('[handlers]\nload = "handlers:router"\n')),
    Wrong("`[sources]` for `[[sources]]`", "up", settings('[sources]\nname = "shop"\n')),
    Wrong("a section written as a value", "up", settings("nats = 4222\n")),
    Wrong("a URL of NATS without scheme", "up", settings('[nats]\nurl = "127.0.0.1:4222"\n')),
    Wrong(
        "callbacks kept for longer than their stream keeps anything",
        "up",
        settings("[nats]\nmax_age_days = 30\ncallbacks_max_age_days = 60\n"),
    ),
    Wrong("a console that is open to all", "up", settings('[console]\nhost = "0.0.0.0"\n')),
    Wrong(
        "an OpenID provider without a secret",
        "up",
        settings(
            '[console]\nauth = "oidc"\n[console.oidc]\nissuer = "https://id.shop.example"\n'
            'client_id = "yizhan"\npublic_url = "https://ops.shop.example"\n'
            '[[console.oidc.grants]]\nclaim = "groups"\nvalue = "on-call"\n'
        ),
    ),
    Wrong("replicas without a cluster", "up", settings("[nats]\nreplicas = 3\n")),
    Wrong("a subject root of two tokens", "up", settings('[nats]\nsubject_root = "a.b"\n')),
    Wrong("a data directory that is a file", "up --config empty", {"empty": "", "yizhan-data": ""}),
    Wrong("a source without verification", "receive", settings(_SOURCE)),
    Wrong("an unknown dialect", "receive", settings(_SOURCE.replace("xport", "xprt"))),
    Wrong("a signature without secret", "receive", settings(_SIGNED)),
    Wrong("an empty secret", "receive", settings(f'{_SIGNED}secrets = [""]\n')),
    Wrong(
        "a short path token",
        "receive",
        settings(f'{_SOURCE}verification = "path_token"\npath_token = "abc"\n'),
    ),
    Wrong(
        "two sources of one name",
        "receive",
        settings(f'{_SOURCE}verification = "none"\n' * 2),
    ),
    Wrong("no source at all", "receive", settings('[nats]\nurl = "nats://127.0.0.1:9"\n')),
    Wrong(
        "a variable as a secret", "receive", settings(f'{_SIGNED}secrets = ["${{SHOP_SECRET}}"]\n')
    ),
    Wrong(
        "a secret file that is not there",
        "receive",
        settings(f'{_SIGNED}secret_files = ["mounted"]\n'),
    ),
    Wrong(
        "a path token twice",
        "receive",
        settings(f'{_TOKEN}path_token = "{"t" * 16}"\npath_token_file = "mounted"\n'),
    ),
    Wrong(
        "a short path token in a file",
        "receive",
        settings(f'{_TOKEN}path_token_file = "mounted"\n') | {"mounted": "abc\n"},
    ),
    Wrong(
        "a secret file of two lines",
        "receive",
        settings(f'{_SIGNED}secret_files = ["mounted"]\n') | {"mounted": "one\ntwo\n"},
    ),
    Wrong("an API without secret", "work", settings(_API)),
    Wrong("an API that is no URL", "work", settings(f'{_API}secret = "s"\nbase_url = "x"\n')),
    Wrong("half of a certificate", "receive", settings('[receiver]\ntls_cert_file = "c.pem"\n')),
    Wrong(
        "a host that is not this machine's",
        "receive",
        settings(
            '[nats]\nurl = "nats://127.0.0.1:9"\n[receiver]\nhost = "192.0.2.1"\n'
            f'spool_limit_bytes = 0\n{_SOURCE}verification = "none"\n'
        ),
    ),
    # the environment
    Wrong("a variable that names nothing", "up", environ={"YIZHAN_NAST__PORT": "1"}),
    Wrong("a list that is no JSON", "work", environ={"YIZHAN_HANDLERS__LOAD": "handlers:router"}),
    Wrong("sources that are no JSON", "receive", environ={"YIZHAN_SOURCES": "shop"}),
    # handlers
    Wrong("a module that is not there", "check", settings('[handlers]\nload = ["mine:router"]\n')),
    Wrong("a module without router", "check", settings('[handlers]\nload = ["handlers:routes"]\n')),
    Wrong(
        "an import string without router", "check", settings('[handlers]\nload = ["handlers"]\n')
    ),
    Wrong(
        "a module that fails",
        "check",
        settings('[handlers]\nload = ["my_handlers:router"]\n') | {HANDLERS: "1 / 0\n"},
    ),
    Wrong(
        "an option for all handlers that does not exist",
        "up",
        settings("[handlers]\ntimeuot_s = 9\n"),
    ),
    Wrong(
        "a section of a handler that is not there",
        "work",
        settings("[handlers.fetch_trackin]\ntimeout_s = 9\n"),
    ),
    Wrong(
        "a start that is none", "work", settings('[handlers.fetch_tracking]\nstart = "yesterday"\n')
    ),
    Wrong(
        "a setting that a handler does not know",
        "work",
        settings("[handlers.fetch_tracking.settings]\nask_agian_s = [60]\n"),
    ),
    Wrong(
        "events to be confirmed, and no API",
        "work",
        settings('[handlers]\nload = ["my_handlers:router"]\n') | {HANDLERS: CONFIRMING},
    ),
    # commands
    Wrong("an empty `--to`", "replay --to ''", DATA),
    Wrong("a handler without name", "replay --to handler:", DATA),
    Wrong("a handler that is not there", "replay --to handler:nope", DATA),
    Wrong("a prefix that is Yizhan's own", "replay --to subject:yizhan.events", DATA),
    Wrong("a file that exists", "replay --to out", DATA | {"out": ""}),
    Wrong("a file in a missing directory", "replay --to no/out", DATA),
    # what operators did, dead letters, quarantine
    Wrong("an act of an empty name", "handlers resume slow --by ''", DATA),
    Wrong("a verb that is empty", "audit --verb ''", DATA),
    Wrong("acts since no time", "audit --since yesterday", DATA),
    Wrong("letters of no cause", "dead list --cause 'key error'", DATA),
    Wrong("letters of no type", "dead list --type order.closd", DATA),
    Wrong("a letter without an id", "dead show ''", DATA),
    Wrong("a letter of no sequence", "dead show '#12a'", DATA),
    Wrong("a retry of nothing", "dead retry --yes", DATA),
    Wrong("a retry of one and of all", "dead retry '#1' --all --yes", DATA),
    Wrong("a retry of all and of some", "dead retry --all --handler slow --yes", DATA),
    Wrong("a retry without a terminal", "dead retry --all", DATA),
    Wrong("a letter dropped without a reason", "dead drop '#1' --yes --reason ''", DATA),
    Wrong("letters dropped without a terminal", "dead drop --all --reason old", DATA),
    Wrong(
        "a cause snoozed for no time", "dead snooze 0a1b2c3d4e5f --for long --reason known", DATA
    ),
    Wrong(
        "a cause snoozed without a reason", "dead snooze 0a1b2c3d4e5f --for 8h --reason ''", DATA
    ),
    Wrong("a handler that is no name", "dead list --handler 'a b'", DATA),
    Wrong("no letters to look at", "dead list"),
    Wrong("a quarantine of no source", "quarantine list --source 'a b'", DATA),
    Wrong("a reparse of nothing", "quarantine reparse --yes", DATA),
    Wrong("a reparse without a terminal", "quarantine reparse --all", DATA),
    Wrong("one callback of a type unknown", "quarantine reparse '#1' --unknown --yes", DATA),
    Wrong("a purge of everything", "purge --what events --reason old --yes", DATA),
    Wrong("a purge of no kind", "purge --order 1 --what event --reason old --yes", DATA),
    Wrong("a purge without a reason", "purge --order 1 --what events --yes", DATA),
    Wrong("a callback dropped without a reason", "quarantine drop '#1' --reason '' --yes", DATA),
    Wrong("a callback of no sequence", "quarantine show '#0'", DATA),
    Wrong("an empty `--order`", "replay --to - --order ''", DATA),
    Wrong("an unknown type", "replay --to - --type payments", DATA),
    Wrong("a time that is none", "replay --to - --since yesterday", DATA),
    Wrong("an empty time", "replay --to - --until ''", DATA),
    Wrong("a time without offset", "replay --to - --since '2026-01-31 08:00:00'", DATA),
    Wrong("a date that is none", "replay --to - --until 2026-02-31", DATA),
    Wrong("a time in the future", "replay --to - --since 2999-01-31T08:00:00+08:00", DATA),
    Wrong("swapped times", "replay --to - --since 1h --until 2h", DATA),
    Wrong("nothing to replay from", "replay --to -"),
    # looking
    Wrong("an empty order id", "order ''", DATA),
    Wrong("a channel that does not exist", "order 1 --channel taoboa", DATA),
    Wrong("an order as of a time to come", "order 1 --at 2999-01-31", DATA),
    Wrong("a limit of none", "order 1 --limit 0", DATA),
    Wrong("an empty event id", "event ''", DATA),
    Wrong("a sequence that is none", "event '#12a'", DATA),
    Wrong("a source that is no name", "callback '#1' --source 'a b'", DATA),
    Wrong("a type that is none to follow", "tail --type logistics.shiped", DATA),
    Wrong("an origin that does not exist", "tail --origin handlers", DATA),
    Wrong("a fact id that is none", "tail --fact 12ab", DATA),
    Wrong("nothing to look into", "status"),
    Wrong("no spool to look into", "spool"),
    Wrong("no server to have the URL of", "url"),
    Wrong("nothing to read drift from", "events --drift"),
    Wrong("drift since the future", "events --drift --since 2999-01-31T08:00:00+08:00", DATA),
    Wrong("schemas into a file", "events --json-schema out", {"out": ""}),
    Wrong("a test callback of no type", "send ORDER_PAID"),
    Wrong("a test callback to no source for tests", "send ORDER_CREATE --source shpo"),
    Wrong("a test callback about no id", "send ORDER_CREATE --order 0x7"),
    Wrong(
        "a test callback to a receiver elsewhere",
        "send ORDER_CREATE",
        environ={"YIZHAN_RECEIVER__HOST": "0.0.0.0"},
    ),
    Wrong("a URL that is none", "simulate --url localhost:8080"),
    Wrong("a port that is none", "simulate --url http://localhost:http"),
    Wrong("a journal that is a directory", "simulate --journal yizhan-data", DATA),
    Wrong("a journal in a missing directory", "demo --journal no/journal"),
    Wrong("a fault that is none", "simulate --api-faults broken"),
    Wrong("a share that is none", "simulate --api-faults 500=2"),
    Wrong("a fault of no call", "simulate --api-faults 500@orders"),
    Wrong(
        "a source that is not there",
        "simulate --source shpo",
        settings(f'{_SIGNED}secrets = ["0123456789abcdef"]\n'),
    ),
    Wrong("a row that is not there", "api show alibaba.orders.cancle"),
    Wrong("a call without an account", "api call alibaba.orders.detail --order-id 1"),
    Wrong("a call without its order", "api call alibaba.orders.detail", settings(_CALLING)),
    Wrong(
        "a list that is no list",
        "api call alibaba.cart.delete --cart-ids 1 --yes",
        settings(_CALLING),
    ),
    Wrong(
        "a change that nobody agreed to",
        "api call alibaba.orders.cancel --order-id 1",
        settings(_CALLING),
    ),
    Wrong("a settings file that is there", "init", settings("# mine\n")),
    Wrong("a settings file in a missing directory", "init no/yizhan.toml"),
    Wrong("an order that is no number of orders", "demo --orders 0"),
    Wrong("a pause without a reason", "handlers pause slow --reason ''", DATA),
    Wrong("a rewind to no time", "handlers rewind slow --yes --to tomorrow", DATA),
    Wrong("a rewind to no sequence", "handlers rewind slow --yes --to '#12a'", DATA),
    Wrong("a rewind without a terminal", "handlers rewind slow --to 2h", DATA),
    Wrong("forgetting without a terminal", "handlers forget slow", DATA),
    Wrong("no handlers to look at", "handlers"),
    Wrong("deleting positions without a terminal", "check --prune"),
    Wrong("a handler whose name is none", "new handler greet-buyer"),
    Wrong("a handler named as a keyword", "new handler class"),
    Wrong("a handler named as a setting", "new handler load"),
    Wrong("a handler named as something else there", "new handler router"),
    Wrong("an option that does not exist", "replay --to - --form 2h", DATA),
    Wrong("a command that does not exist", "replya"),
)


def sentence(ended: Ended) -> str:
    """What was said of it: what is not `ok` of `check`, else what stands on standard error."""
    failed = [line for line in ended.out.splitlines() if line.startswith("FAIL")]
    said = failed or [line for line in ended.err.splitlines() if line.startswith("yizhan: ")]
    said = said or re.findall(r"│ (.*?) +│", ended.err)  # of an unknown command or option
    return "\n".join(" ".join(line.removeprefix("yizhan: ").split()) for line in said)


def row(wrong: Wrong, ended: Ended) -> str:
    """A row of the page's table."""
    given = [f"`{name}={value}`" for name, value in wrong.environ.items()]
    for name, text in wrong.files.items():
        if name in {SETTINGS, HANDLERS}:
            given += [f"`{line}`" for line in text.splitlines()]
    said = sentence(ended).replace("|", "\\|").replace("\n", "<br>")
    cells = (wrong.what, "<br>".join(given), f"`yizhan {wrong.command}`", said, str(ended.code))
    return f"| {' | '.join(cells)} |"


HEAD: Final = """# Wrong settings and commands

What Yizhan says of each, and the exit code: 2 where the settings, an option or the directory does
not fit, 1 where `yizhan check` found a fault. Nothing is created and no server is started. Each row
was run; `make errors` writes this page.

| wrong | given | command | sentence | exit code |
| --- | --- | --- | --- | --- |
"""


async def outcome(wrong: Wrong) -> str:
    """The row of the page, from a run in a new directory."""
    with tempfile.TemporaryDirectory() as directory:
        wrong.lay_out(Path(directory))
        return row(wrong, await wrong.run(Path(directory)))


async def page() -> str:
    from tests.cli.wrong_served import served_page  # which imports this module

    rows = [await outcome(wrong) for wrong in WRONG]
    return HEAD + "\n".join(rows) + "\n" + await served_page()


if __name__ == "__main__":
    print(asyncio.run(page()), end="")
