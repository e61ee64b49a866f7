"""The bus of the settings, where several runs share one data directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.composition.bus import batch_staging, batches_staged, opened_bus, running_server
from receiver.embedded.data_directory import stream_directory
from receiver.embedded.staging import MEMORY
from receiver.settings import NatsSettings, Settings
from receiver.testing import eventually

pytestmark = pytest.mark.skipif(not MEMORY.is_dir(), reason="no memory file system")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(nats=NatsSettings(data_dir=tmp_path / "data", port=0))


async def test_only_the_run_that_owns_the_server_looks_after_its_batches(
    settings: Settings,
) -> None:
    staging, staged = batch_staging(settings), batches_staged(settings)
    async with opened_bus(settings, name="owner", patience_s=20) as bus:
        await eventually(staged, within_s=60)
        assert bus.staged()
        async with running_server(settings, inherit=True) as url:
            assert url == bus.url
        assert (stream_directory(settings.nats.data_dir, "YIZHAN") / "batches").is_symlink()
        assert staging.target.is_dir()
    assert not staging.target.exists()


async def test_of_a_server_of_ones_own_the_settings_say_where_it_stages() -> None:
    for said in (True, False):
        nats = NatsSettings(url="nats://127.0.0.1:4222", batches_in_memory=said)
        assert batches_staged(Settings(nats=nats))() is said
