"""docs/performance.md, made from what a run found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.contenders import EMPTY, EQUAL, YIZHAN
from bench.goals import goals
from bench.matrix import CONNECTIONS, ROUNDS, Case
from bench.measure import spread
from bench.outcome import Outcome

_NOTES = Path(__file__).with_name("notes.md")
_SYNCS = {
    "always": "With `sync_interval: always`: on disk before the acknowledgement",
    "lazy": "The server's default: acknowledged first, synced within two minutes",
}


def page(outcome: Outcome) -> str:
    """The whole page."""
    parts = [_head(outcome), _equal_work(outcome), _goals(outcome)]
    parts += [_table(outcome, sync) for sync in _SYNCS]
    parts += [_alone(outcome), _NOTES.read_text(encoding="utf-8").strip(), _how(outcome)]
    return "\n\n".join(parts) + "\n"


def _head(outcome: Outcome) -> str:
    return f"""# Performance

<!-- Made by `make bench`; do not edit. -->

Measured on {outcome.when:%Y-%m-%d} in one run of {outcome.took_s / 60:.1f} minutes:
{outcome.machine}.
{outcome.versions}. Load average before the start: {outcome.load_before}.

![Callbacks a second and p99](performance.png)"""


def _equal_work(outcome: Outcome) -> str:
    rows = [
        "## Beside FastAPI that does equal work",
        "",
        "A hand-written endpoint that verifies, reads and stores what Yizhan does: the same raw",
        "message and typed event, both acknowledged under sync always, and one log line",
        "(`bench/servers/paid_order.py` says what Yizhan does besides). FastAPI's figure first.",
        "",
        "| connections | callbacks/s | times | p50 ms | HTTP process, CPU µs a callback "
        "| nats-server, CPU µs a callback |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for connections in CONNECTIONS["always"]:
        hand, ours = (outcome.of("always", connections, c) for c in (EQUAL, YIZHAN))
        rows.append(
            f"| {connections} | {hand.result.per_s:,.0f} / **{ours.result.per_s:,.0f}** "
            f"| {ours.result.per_s / hand.result.per_s:.2f} "
            f"| {hand.result.p50_ms:.2f} / **{ours.result.p50_ms:.2f}** "
            f"| {hand.server_cpu_us:.0f} / **{ours.server_cpu_us:.0f}** "
            f"| {hand.nats_cpu_us:.0f} / **{ours.nats_cpu_us:.0f}** |"
        )
    return "\n".join(rows)


def _goals(outcome: Outcome) -> str:
    rows = ["## The goals", "", "| | goal | found | |", "| --- | --- | --- | --- |"]
    for goal in goals(outcome):
        sign = "at least" if goal.floor else "at most"
        verdict = "reached" if goal.reached else "**missed**"
        rows.append(
            f"| {goal.text} | {sign} {goal.bound:g}{goal.unit} | {goal.value:.2f}{goal.unit} "
            f"| {verdict} |"
        )
    return "\n".join(rows)


def _table(outcome: Outcome, sync: str) -> str:
    rows = [
        f"## Sync {sync}",
        "",
        f"{_SYNCS[sync]}.",
        "",
        "| connections | | callbacks/s | p50 ms | p99 ms | HTTP CPU µs | NATS CPU µs | spread |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for connections in CONNECTIONS[sync]:
        for contender in outcome.contenders:
            sample = outcome.of(sync, connections, contender)
            result = sample.result
            apart = spread(outcome.samples[Case(sync, connections, contender.name)])
            nats = "" if contender is EMPTY else f"{sample.nats_cpu_us:.0f}"
            rows.append(
                f"| {connections} | {contender.label} | {result.per_s:,.0f} | {result.p50_ms:.2f} "
                f"| {result.p99_ms:.1f} | {sample.server_cpu_us:.0f} | {nats} | {apart:.0%} |"
            )
    return "\n".join(rows)


def _alone(outcome: Outcome) -> str:
    return "\n".join(["## Yizhan alone, sync always", "", *_facts(outcome)])


def _facts(outcome: Outcome) -> Iterator[str]:
    ready = outcome.ready_s.get(YIZHAN.server, 0.0)
    yield f"- From the start of the process to the first answer: {ready:.2f} s."
    for grown in outcome.growth:
        yield (
            f"- With {grown.events:,} stored callbacks and as many events: {grown.per_s:,.0f} "
            f"callbacks/s at 256 connections; ready after {grown.ready_s:.2f} s."
        )
    if len(outcome.workers) == 2:
        one, two = outcome.workers.values()
        yield (
            f"- With `receiver.workers = 2`: {two:,.0f} callbacks/s at 256 connections, "
            f"{two / one:.2f} times those of one process in the same rounds ({one:,.0f}; two cores "
            "for the receiver, one for NATS)."
        )
    before, memory = outcome.memory_before, outcome.memory
    if before and memory:
        yield (
            f"- Memory after {memory.callbacks:,} callbacks: receiver {memory.receiver_mb:.0f} MB "
            f"(at the start {before.receiver_mb:.0f}), NATS server {memory.nats_mb:.0f} MB "
            f"({before.nats_mb:.0f}; it holds the streams of all contenders)."
        )
    if steady := outcome.steady:
        yield (
            f"- At a steady {steady.answers.per_s:.0f}/s, handlers running: p50 "
            f"{steady.answers.p50_ms:.1f} ms, p99 {steady.answers.p99_ms:.1f} ms; callback to "
            f"handler p50 {steady.handler_p50_ms:.1f} ms, p99 {steady.handler_p99_ms:.1f} ms "
            f"({steady.handled:,} handled)."
        )
    if flood := outcome.flood:
        yield (
            f"- Bad signatures at full speed, 256 connections: {flood.alone.refused_per_s:,.0f}/s "
            f"refused. Good ones meanwhile, {flood.good.per_s:.0f}/s: p50 {flood.good.p50_ms:.1f} "
            f"ms, p99 {flood.good.p99_ms:.1f} ms."
        )


def _how(outcome: Outcome) -> str:
    cores = outcome.cores
    node = f" Node took no part: {outcome.node_skipped}." if outcome.node_skipped else ""
    return f"""## How it was measured

- `make bench`; each figure is the median of {ROUNDS} runs of {outcome.seconds} s, "spread" is
  (highest - lowest) / median. In every round the contenders take turns.{node}
- "CPU" is the processor time, user and system, that the HTTP process and nats-server used in a run
  by `/proc`, divided by the callbacks answered.
- The server under test is one process on core {cores.server}; NATS is on {cores.nats}, wrk (one
  thread) on {cores.wrk}. All Python servers run on the same uvicorn, uvloop and httptools,
  without an access log. One NATS server serves all, each contender has a file stream of its own.
- Every callback is distinct: its own order, nonce and signature, about 600 bytes. After each run
  the stream is counted, and the run fails unless every 200 is stored.
- Yizhan verifies the signature, reads the message, stores the claim of the nonce, the raw callback
  and the typed event (three messages), marks retransmissions, writes one log line to a file, and
  then answers. With `replay_check = "off"` there is no claim: two messages, as FastAPI with equal
  work stores them. The others check nothing and store one message: the body.
- wrk is a closed loop: each connection waits for its answer. The steady load and the 200/s are 100
  and 20 connections with random pauses. Under the steady load the handlers are a process of its
  own on NATS' cores."""
