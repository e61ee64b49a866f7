"""`yizhan send`: one test callback to a receiver that runs already."""

from __future__ import annotations

from typing import Annotated

import typer

from receiver.cli.app import RUN, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load
from receiver.cli.desk import print_json
from receiver.cli.options import http_url
from receiver.cli.process import Stop, refusing, run
from receiver.cli.trial import Sender, sender_on
from receiver.errors import ConfigurationError
from receiver.operations.trying import new_order_id, send_test


@app.command(
    rich_help_panel=RUN,
    epilog=examples(
        "yizhan send ORDER_PAY_SUCCESS",
        "yizhan send LOGISTICS_BUYER_VIEW_TRACE --order 2745812000123456789 --json",
    ),
)
def send(
    message_type: Annotated[
        str, typer.Argument(help="Its type, as `yizhan events` lists them.", metavar="TYPE")
    ],
    config: ConfigOption = None,
    source: Annotated[
        str | None,
        typer.Option(help="The source, marked `simulated = true` (default: the first that is)."),
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="The id of the order it is about (default: a new one).")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The receiver's base URL (default: from the settings).", metavar="URL"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test callback: one message to a source for tests, as the platform would.

    What the order holds is invented, the same for the same id. Prints what the receiver answers,
    and exits 1 where that is not 200.
    """
    settings, _ = load(config, quiet=True, keep=False)
    if not any(one.simulated for one in settings.sources):  # `up --simulate` may have added its own
        settings, _ = load(config, quiet=True, simulate=True, keep=False)
    with refusing():
        base = None if url is None else http_url("--url", url)
        sender = Sender.of(settings, base) if base else sender_on(settings)
        if sender is None:
            host = settings.receiver.host
            raise ConfigurationError(f"receiver.host: {host} is not this machine's own: give --url")
        chosen = source or next((one.name for one in sender.sources), None)
        if chosen is None:
            raise ConfigurationError("sources: of none that is simulated can callbacks be played")
    order_id = order or new_order_id()

    async def main(_: Stop) -> int:
        answer = await send_test(sender, chosen, message_type, order_id)
        if as_json:
            print_json(
                {
                    "source": chosen,
                    "message_type": message_type,
                    "order_id": order_id,
                    "status": answer.status,
                    "answer": answer.text,
                    "callback_id": answer.callback_id,
                }
            )
        else:
            typer.echo(f"{answer.status}  {message_type} of order {order_id} to {chosen}")
            typer.echo(answer.text)
        return 0 if answer.is_taken else 1

    run(main)
