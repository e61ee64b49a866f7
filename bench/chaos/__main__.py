"""`python -m bench.chaos`: ten thousand reads and two thousand changes, two clients, one rate."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bench.chaos.platform import ChaoticPlatform
from bench.chaos.run import Outcome, chaos, judge_rate, settings_of
from receiver.bus.account_rate import AccountRate
from receiver.bus.connection import Connection
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.client.platform import PlatformAPI
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.observability.logs import configure_logs
from receiver.settings import LogSettings
from receiver.simulator.serving import served

_SPAN_S, _BURST_S = 10.0, 1.3
"""A moment that NATS gives may come a second late, which is how long it is waited for."""


def main() -> int:
    """The command: 0 where every promise was kept, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--reads", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    configure_logs(LogSettings(level="error"))
    logging.getLogger("uvicorn.error").disabled = True  # the platform's, of clients that give up
    begun = time.monotonic()
    platform = ChaoticPlatform(
        reads=arguments.reads, changes=arguments.changes, seed=arguments.seed
    )
    outcome = asyncio.run(_run(platform))
    _show(platform, outcome, time.monotonic() - begun)
    return 1 if outcome.wrong else 0


async def _run(platform: ChaoticPlatform) -> Outcome:
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        config = EmbeddedServerConfig(data_dir=Path(directory), port=0, sync_always=False)
        server = EmbeddedServer(config)
        await server.start()
        stack.push_async_callback(server.stop)
        url = await stack.enter_async_context(served(platform.api.app()))
        apis = []
        for name in ("one", "two"):
            connection = Connection(server.url, plans(Subjects(), [timedelta(hours=1)]), name=name)
            await connection.start(patience_s=30)
            stack.push_async_callback(connection.stop)
            shared = AccountRate(connection, Subjects(), "chaos")
            api = PlatformAPI.open(settings_of(url), shared=shared)
            apis.append(await stack.enter_async_context(api))
        outcome = await chaos(platform, apis)
    judge_rate(platform, outcome, _SPAN_S, _BURST_S)
    return outcome


def _show(platform: ChaoticPlatform, outcome: Outcome, seconds: float) -> None:
    faults = platform.faults()
    counted = ", ".join(f"{count} {name}" for name, count in sorted(faults.items()))
    print(f"calls: {faults.total()} in {seconds:.0f} s ({counted})")
    for name in ("reads", "changes", "settled"):
        counted = sorted(getattr(outcome, name).items())
        print(f"{name}: {', '.join(f'{count} {what}' for what, count in counted)}")
    print(f"most in {_SPAN_S:g} s: {platform.api.journal.most_in(_SPAN_S)}")
    for sentence in outcome.wrong or ["every promise was kept"]:
        print(sentence)


if __name__ == "__main__":
    sys.exit(main())
