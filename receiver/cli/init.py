"""`yizhan init`: a commented settings file to begin with."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Final

import typer

from receiver.cli.app import BUILD, JsonOption, app, examples
from receiver.cli.desk import Desk
from receiver.cli.options import writable_file
from receiver.cli.process import refusing
from receiver.errors import ConfigurationError
from receiver.private_files import open_private, replace_private
from receiver.settings.file import DEFAULT_FILE

TEMPLATE: Final = """\
# Settings of Yizhan. The README lists every one. `yizhan check` says whether they fit.
# A variable YIZHAN_SECTION__KEY overrides a key, such as YIZHAN_RECEIVER__PORT=9000.

[nats]
# Without url a server of our own is started, and stores in data_dir.
data_dir = "yizhan-data"
port = 4222
# A server or cluster of your own:
# url = "nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222"
# replicas = 3
# user = "yizhan"
# password_file = "/run/secrets/nats"

[receiver]
# Callbacks come to http://HOST:PORT/callbacks/NAME; 0.0.0.0 is every address of the machine.
host = "127.0.0.1"
port = 8080
# Whose X-Forwarded-For is believed, such as a proxy with TLS in front:
# trusted_proxies = ["10.0.0.0/8"]

# One section for each sender. This one proves itself by a secret URL, made for you:
# http://HOST:PORT/callbacks/shop/PATH_TOKEN is what the platform is given.
[[sources]]
name = "shop"
dialect = "xport"
verification = "path_token"
path_token = "{path_token}"
# or, in place of it: path_token_file = "/run/secrets/shop-token"
# With the keys that the platform gave you, write verification = "both" or "signature", and:
# access_key = "your access key"
# secrets = ["your secret"]
# or, one secret a file:
# secret_files = ["/run/secrets/shop"]

# The platform's API. Without it, handlers that need it do not run.
# [api]
# access_key = "your access key"
# secret = "your secret"
# user_id = "10001"
# Calls in a second, of all processes together, and those of a process under way at once:
# rate_per_s = 5
# concurrency = 16

[handlers]
# Import strings module:router; your own module lies in the working directory or is installed.
load = ["handlers:router"]
# load = ["handlers:router", "my_handlers:router"]
# Each has a section of its own, such as [handlers.order_sync]: enabled = false switches it off. In
# [handlers.notify], settings.url forwards events to an HTTP endpoint: docs/built-in-handlers.md.

[log]
# console, json, or auto: by whether a terminal watches
format = "auto"
"""


@app.command(rich_help_panel=BUILD, epilog=examples("yizhan init", "yizhan init shop.toml --force"))
def init(
    file: Annotated[
        Path, typer.Argument(help="Where to write.", metavar="[FILE]", show_default=True)
    ] = DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented settings file with one source, for its owner alone.

    It is valid as it stands: `yizhan up` runs on it. Overwrites nothing without --force.
    """
    with refusing():
        writable_file("FILE", file)
        _write(file, TEMPLATE.format(path_token=secrets.token_hex(16)), force=force)
    named = "" if file == DEFAULT_FILE else f" --config {file}"
    following = [f"yizhan check{named}", f"yizhan up{named}"]
    text = f"{file} written. Next: {', then '.join(following)}"
    Desk(True, as_json).done(text, file=str(file), next=following)


def _write(file: Path, text: str, *, force: bool) -> None:
    try:
        if force:
            replace_private(file, text)
            return
        with open_private(file) as opened:
            opened.write(text)
    except FileExistsError:
        raise ConfigurationError(
            f"FILE {file}: exists: name another file, or give --force to overwrite it"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"FILE {file}: cannot be written: {error.strerror}: name another file"
        ) from error
