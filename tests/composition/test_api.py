"""The API of the settings: one rate for all processes, and what is counted of the calls."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from receiver.composition.api import opened_api, served_counts
from receiver.composition.bus import Bus, opened_bus
from receiver.errors import ConfigurationError
from receiver.settings import APISettings, NatsSettings, Settings
from receiver.web.server import bind, serving


def free_port() -> int:
    """A port that was free a moment ago."""
    listener = bind("127.0.0.1", 0)
    port: int = listener.getsockname()[1]
    listener.close()
    return port


@pytest.fixture
async def platform() -> AsyncIterator[str]:
    """A platform where no order has a parcel."""

    async def answer(_: Request) -> JSONResponse:
        return JSONResponse({"code": 200, "data": []})

    routes = [Route("/{path:path}", answer, methods=["GET", "POST"])]
    async with serving(Starlette(routes=routes), bind("127.0.0.1", 0)) as url:
        yield url


@pytest.fixture
def settings(platform: str, tmp_path: Path) -> Settings:
    api = APISettings(
        base_url=platform,
        access_key="the-key",
        secret=SecretStr("s"),
        rate_per_s=1000,
        metrics_port=free_port(),
    )
    return Settings(api=api, nats=NatsSettings(data_dir=tmp_path / "data", port=0))


@pytest.fixture
async def bus(settings: Settings) -> AsyncIterator[Bus]:
    async with opened_bus(settings, name="test", patience_s=60) as opened:
        yield opened


async def test_the_processes_of_one_bus_share_the_rate(settings: Settings, bus: Bus) -> None:
    async with opened_api(settings, bus) as one, opened_api(settings, bus) as other:
        assert one is not None
        assert other is not None
        await one.alibaba.orders.logistics("1")
        await other.alibaba.orders.logistics("1")

    stream, subject = bus.subjects.rate_stream, bus.subjects.all_rates
    kept = await bus.connection.jetstream.get_last_msg(stream, subject)
    assert len(json.loads(kept.data or b"")["members"]) == 2
    assert "the-key" not in f"{kept.subject} {kept.data!r}"


async def test_the_calls_are_counted_for_monitoring(settings: Settings) -> None:
    assert settings.api is not None
    async with opened_api(settings) as api:
        assert api is not None
        with served_counts(settings, api):
            await api.alibaba.orders.logistics("1")
            await api.alibaba.orders.logistics("2")
            async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
                url = f"http://127.0.0.1:{settings.api.metrics_port}/metrics"
                page = (await http.get(url)).text

    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    row = "alibaba_orders_logistics"
    assert found["yizhan_api_calls_total", row, "ok"] == 2
    assert found["yizhan_api_repeats_total", row] == 0
    assert found["yizhan_api_try_seconds_count", row] == 2
    assert found["yizhan_api_try_seconds_bucket", "+Inf", row] == 2
    assert found["yizhan_api_try_seconds_sum", row] > 0


async def test_a_port_that_is_taken_is_told(settings: Settings) -> None:
    assert settings.api is not None
    async with opened_api(settings) as api:
        with (
            served_counts(settings, api),
            pytest.raises(ConfigurationError, match=r"api\.metrics_port: cannot listen"),
            served_counts(settings, api),
        ):
            pass


async def test_without_a_port_nothing_is_served(settings: Settings) -> None:
    assert settings.api is not None
    port = settings.api.metrics_port
    api = settings.api.model_copy(update={"metrics_port": None})
    async with opened_api(settings) as opened:
        with served_counts(settings.model_copy(update={"api": api}), opened):
            async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
                with pytest.raises(httpx2.ConnectError):
                    await http.get(f"http://127.0.0.1:{port}/metrics")
