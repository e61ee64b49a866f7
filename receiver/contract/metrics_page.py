"""`docs/metrics.md`: every metric, written from their table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from receiver.contract.markdown import cell, table
from receiver.observability.metric_row import MetricRow, Page
from receiver.observability.metric_table import ROWS

_HEAD: Final = """\
# Metrics

Written by `make docs` from the table of metrics (`receiver/observability/metric_table.py`); do
not edit.

```sh
yizhan metrics --once | head
yizhan metrics --config yizhan.toml
curl http://127.0.0.1:9464/metrics
```

`yizhan metrics` is the one target to scrape: it has the metrics of all receivers and workers of a
NATS, wherever they run. Point one Prometheus job at it, or two of them for its absence; scraping
it more often than every 5 seconds shows nothing new. `metrics.host` and `metrics.port` say where
it listens (127.0.0.1:9464). It reads, and changes nothing but the bookkeeping below.

- **From the log** (what is stored, handled or dead): JetStream is asked for it, so it is exact,
  whichever process was killed. What is deleted by age or by `yizhan purge` is no longer counted;
  only `yizhan_stream_stored_total` counts what was ever stored.
- **From processes**: each receiver and worker reports its counters every 5 seconds, and at its
  end, to the stream `YIZHAN_METRICS`. The page shows the sum of all that ever ran, so counters do
  not go back when one ends; a process that is killed loses what it counted since its last report.
  What ended is added to a total, an hour after a kill. Deleting that stream begins all counters
  anew. Gauges are of the processes that reported within the last 15 seconds.
- A part that cannot be read is missing whole, and `yizhan_collected` is 0 for it: alert on that,
  and on the absence of the page. `--once` exits 3 then.

A callback came again because we **provoked** it where our answer to the same content was later
than 800 ms after we had it, or no 200, as any receiver that still runs remembers; else it counts
as the platform's own (`yizhan_retransmissions_total`). An answer that was lost with its process
counts as the platform's.

[service-level.md](service-level.md) says what the service level rests on, and silence.

## Who may read

Every `/metrics` (this one, and those of receivers and of `handlers.port`) is open to its own
machine. From elsewhere, and through a proxy, it takes `Authorization: Bearer` with
`metrics.token` (16 characters or more, or the file `metrics.token_file`) and is 401 otherwise, or
where no token is set. `api.metrics_port` knows no token: leave `receiver.host` at loopback where
it is set.

```yaml
scrape_configs:
  - job_name: yizhan
    authorization: {credentials_file: /etc/prometheus/yizhan-token}
    static_configs: [{targets: ["yizhan.internal:9464"]}]
```
"""
_PAGES: Final[tuple[tuple[Page, str, str], ...]] = (
    ("collected", "The page of `yizhan metrics`", ""),
    (
        "receiver",
        "The page of one receiver",
        "`/metrics` of the receiver's port: of the one process that answers, `worker` of those "
        "that share the port, since its start.",
    ),
    (
        "handlers",
        "The page of one handler port",
        "`/metrics` on `handlers.port` "
        "([operations.md](operations.md#health-and-metrics-of-handlers)): those of processes have "
        "the label `worker`, and count since its start.",
    ),
    (
        "api",
        "The page of `api.metrics_port`",
        "Of the one process that makes the calls, since its start.",
    ),
)


def metrics_page() -> str:
    """The page as Markdown."""
    parts = [_HEAD]
    for page, title, text in _PAGES:
        rows = [row for row in ROWS if page in row.pages]
        parts += [
            f"## {title}",
            text,
            table(("metric", "kind", "labels", "from", ""), _lines(rows)),
        ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _lines(rows: list[MetricRow]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        labels = [_label(name, words) for name, words in row.labels.items()]
        bounds = ", ".join(f"{bound:g}" for bound in row.bounds)
        more = f" Buckets: {bounds} s." if bounds else ""
        instead = f" Goes with the release after next: use `{row.former}`." if row.former else ""
        text = cell(f"{row.help}{more}{instead}")
        yield f"`{row.exported}`", row.kind, "; ".join(labels), row.origin, text


def _label(name: str, words: tuple[str, ...]) -> str:
    return f"`{name}`: {', '.join(words)}" if words else f"`{name}`"
