"""A recorded history of clocks replays on today's code: they run for weeks, through many deploys.

`python -m tests.clocks.test_recorded` records it anew.
"""

import asyncio
import gzip
import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tests.clocks.story import NOTHING_ELSE, story
from worker.converter import data_converter
from worker.service import runner, workflow_types

RECORDED = Path(__file__).parent / "recorded" / "legal_clocks-missed.json.gz"


async def test_clocks_in_flight_survive_a_deploy_of_this_code() -> None:
    from tests.clocks.story import INCIDENT

    history = WorkflowHistory.from_json(f"clocks-{INCIDENT}", gzip.decompress(RECORDED.read_bytes()).decode())
    assert len(history.events) > 100
    await Replayer(workflows=workflow_types(), data_converter=data_converter, workflow_runner=runner()).replay_workflow(history)


async def record() -> None:
    """Reported twice, assessed, moved, signed, sent, delayed, missed; told all along."""
    with tempfile.TemporaryDirectory() as tmp:
        async with story(Path(tmp), ours=f"[profile]\nregistrant = true\ncovered_entity = false{NOTHING_ELSE}") as clocks:
            began = await clocks.now()
            await clocks.report(personal_data=True, countries=("DE",), tenants=("acme",))
            await clocks.assess(data_sets={"chats": "controller"}, risk_to_people="yes", encrypted="no", phi="no", material="yes")
            await clocks.pass_(hours=20)
            await clocks.report("more rows", tenants=("globex",))
            await clocks.say("started", clock="gdpr-33-1", at=(began + timedelta(hours=2)).isoformat(), by="lou", reason="test data first")
            draft = await clocks.draft("gdpr-33-1", "notification")
            told = {"clock": "gdpr-33-1", "stage": "notification"}
            await clocks.say("sign", digest=draft.digest, code=await clocks.code("lou"), **told)
            await clocks.say("submitted", receipt="DPC-2026-81", code=await clocks.code("lou"), **told)
            until = (began + timedelta(days=9)).isoformat()
            await clocks.say("delay", clock="sec-8k", reference="Attorney General", until=until, code=await clocks.code("lou"))
            await clocks.pass_(days=9, hours=2)
            history = await clocks.handle.fetch_history()
    RECORDED.write_bytes(gzip.compress(history.to_json().encode(), mtime=0))
    print(RECORDED.name, len(history.events), "events")


if __name__ == "__main__":
    asyncio.run(record())
    sys.stdout.flush()
    os._exit(0)
