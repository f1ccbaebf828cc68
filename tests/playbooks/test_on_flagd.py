"""Both playbooks with flags in flagd's file, chosen by one line of `organisation.toml`; the product reads them with the vendor's own provider."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType

from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.outages import makes, mended, passes, quick
from workflows.incident import State

CHOSEN = '[policy.systems]\nflags = "flagd"\n'
FLAGS = ("tools.high_psu", "scheduler.enabled", "batch.enabled", "orchestrator.autonomy")


def flag_file(tmp: Path) -> Path:
    switch = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    file = tmp / "flags.json"
    file.write_text(json.dumps({"flags": dict.fromkeys(FLAGS, switch)}, indent=2))
    return file


@asynccontextmanager
async def reading(stage: Drill, file: Path) -> AsyncIterator[None]:
    """The product: it asks the vendor's provider for its flags, again and again, and behaves so."""
    api.set_provider_and_wait(FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(file), deadline_ms=20), "product")
    client = api.get_client("product")

    async def obey() -> None:
        while True:
            stage.world.state.flags.update({flag: client.get_boolean_value(flag, not stage.world.state.flags[flag]) for flag in FLAGS})
            await asyncio.sleep(0.02)

    product = asyncio.create_task(obey())
    try:
        yield
    finally:
        product.cancel()
        api.clear_providers()


async def provider_outage(stage: Drill) -> Any:
    await stage.break_provider(provider="aurora", kind="overload", rate=0.6, for_seconds=400)
    return await stage.declare()


async def unknown_cause(stage: Drill) -> Any:
    await makes(stage, "service-faults", service="api", kind="region", rate=0.5)
    await passes(stage, 180)
    return await stage.declare("ProductionOutage", service="api")


@pytest.mark.parametrize(
    ("begin", "policy"), [(provider_outage, brisk), (unknown_cause, quick)], ids=["llm_provider_outage", "production_outage"]
)
async def test_flags_go_off_in_the_file_and_come_back(tmp_path: Path, begin: Callable[[Drill], Any], policy: Callable[..., str]) -> None:
    file = flag_file(tmp_path)
    before = file.read_text()
    async with drill(tmp_path, policy=policy(more=CHOSEN), flagd_file=str(file)) as stage, reading(stage, file):
        incident = await begin(stage)
        assert "the product shows it off" in await incident.hears("flags.switch_off flag/scheduler.enabled: switch scheduler.enabled off")
        assert '"defaultVariant": "off"' in file.read_text()
        if begin is unknown_cause:
            await mended(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED and "switched off" not in {one.name for one in status.in_force}
        assert file.read_text() == before
        assert [effect for effect in await stage.effects() if effect["face"] == "unleash" and effect["changed"]] == []
