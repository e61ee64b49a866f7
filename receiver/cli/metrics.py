"""`yizhan metrics`: one page of metrics for all processes."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from prometheus_client.exposition import generate_latest

from receiver.cli.app import RUN, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.desk import print_json
from receiver.cli.look.output import print_nats, searching
from receiver.cli.process import EXIT_PARTLY, Stop, refusing, run
from receiver.composition.alerting import alerting
from receiver.composition.bus import Bus
from receiver.composition.metrics import opened_collector
from receiver.errors import ConfigurationError
from receiver.observability.figures import Figures
from receiver.observability.logs import configure_logs, get_logger
from receiver.observability.metric_families import families
from receiver.operations.metrics.collector import MetricCollector
from receiver.resilience.single_flight import SingleFlight
from receiver.settings import Settings
from receiver.web.collected_metrics import create_metrics_app
from receiver.web.metrics import registry_of
from receiver.web.server import ServerConfig, bind, serving
from receiver.worker.configuration import configured_handlers
from receiver.worker.routing import Handler

_COMMAND: Final = "nats stream report"
_SHARED_S: Final = 2.0
"""For how long those who ask share one page: JetStream counts for each."""


@app.command(
    rich_help_panel=RUN,
    epilog=examples("yizhan metrics", "yizhan metrics --once", "curl localhost:9464/metrics"),
)
def metrics(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Print the page, and end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Collect the metrics of all processes, and serve them at /metrics for Prometheus.

    What is stored, handled or dead is read from the log; what receivers and handlers count is what
    each of them reported last. With --once it exits 3 where a part could not be read.
    """
    with refusing():
        if as_json and not once:
            raise ConfigurationError("--json: is for --once: add it, or leave --json out")
    settings = load_to_look(config)
    if not once:
        configure_logs(settings.log)

    async def main(stop: Stop) -> int:
        async with opened_collector(settings, _handlers(settings)) as (bus, collector):
            if once:
                return await _printed(collector, as_json=as_json)
            await _served(settings, bus, collector, stop)
            return 0

    run(main, stays=not once)


async def _printed(collector: MetricCollector, *, as_json: bool) -> int:
    with searching("collecting"):
        found = await collector.collect()
    if as_json:
        document = {"metrics": _rows(found.figures), "missing": list(found.missing)}
        print_json({**document, "nats": [_COMMAND]})
        return EXIT_PARTLY if found.missing else 0
    typer.echo(generate_latest(registry_of(families(found.figures))).decode(), nl=False)
    for sentence in found.missing:
        typer.echo(f"missing: {sentence}", err=True)
    print_nats([_COMMAND])
    return EXIT_PARTLY if found.missing else 0


def _rows(figures: Figures) -> list[dict[str, Any]]:
    """Each sample of the page by its name, its labels and its value."""
    return [
        {"name": sample.name, "labels": sample.labels, "value": sample.value}
        for family in families(figures)
        for sample in family.samples
    ]


async def _served(settings: Settings, bus: Bus, collector: MetricCollector, stop: Stop) -> None:
    log, chosen = get_logger("yizhan.metrics"), settings.metrics

    async def collected() -> Figures:
        found = await collector.collect()
        for sentence in found.missing:
            log.warning("metrics_missing", reason=sentence)
        return found.figures

    shared = SingleFlight(collected, ttl_s=_SHARED_S)
    page = create_metrics_app(shared, chosen.bearer)
    listener = bind(chosen.host, chosen.port, section="metrics")
    async with (
        serving(page, listener, ServerConfig(deadline=stop.deadline)) as url,
        alerting(settings, bus, shared),
    ):
        log.info("metrics_served", url=f"{url}/metrics")
        await stop.wait()


def _handlers(settings: Settings) -> list[Handler]:
    """Those of the settings; one that cannot be loaded here is known once it has a position."""
    try:
        return configured_handlers(settings.handlers)
    except ConfigurationError as error:
        get_logger("yizhan.metrics").warning("handlers_not_known", error=str(error))
        return []
