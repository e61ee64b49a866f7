"""`yizhan alerts` and `yizhan dashboard`: what Prometheus and Grafana are configured with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from receiver.cli.app import BUILD, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load
from receiver.cli.process import fail
from receiver.contract.alert_rules import alert_rules, rules
from receiver.contract.dashboard import dashboard as dashboard_document
from receiver.errors import ConfigurationError

OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Write it to this file, instead of printing it."),
]


@app.command(
    rich_help_panel=BUILD,
    epilog=examples(
        "yizhan alerts",
        "yizhan alerts -o /etc/prometheus/yizhan.rules.yml",
        "yizhan alerts --json",
    ),
)
def alerts(config: ConfigOption = None, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Write the alerts as rules for Prometheus, each with a link to its section of the runbook.

    Without Prometheus, [alerts] of the settings has the same alerts posted to a webhook.
    """
    settings, _ = load(config, quiet=True, keep=False)
    runbook = settings.alerts.runbook
    if as_json:
        _write(json.dumps({"alerts": rules(runbook)}, indent=2) + "\n", out)
    else:
        _write(alert_rules(runbook), out)


@app.command(
    rich_help_panel=BUILD,
    epilog=examples("yizhan dashboard", "yizhan dashboard -o yizhan.json"),
)
def dashboard(out: OutOption = None) -> None:
    """Write a dashboard for Grafana that shows every metric of `yizhan metrics`."""
    _write(dashboard_document(), out)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(ConfigurationError(f"--out {out}: cannot be written: {error.strerror}"))
