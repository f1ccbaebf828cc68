"""A session as evidence: its content is in the store, and nowhere else."""

import hashlib
import json
from pathlib import Path

from activities.agents.agent_runtime import AgentRuntime
from activities.agents.exporting import ExportSession, SessionExports
from activities.evidence.folder import Folder
from activities.evidence.store import EvidenceStore
from tests.activities.agents.worlds import played
from tests.activities.kit.stage import INCIDENT, attempt

SECRET = "my card is 4111 1111 1111 1111"


async def test_what_was_said_is_in_the_store_and_only_where_it_lies_is_answered(tmp_path: Path) -> None:
    world = played()
    session = next(iter(world.runtime.sessions.values()))
    session.turns.append(SECRET)
    exports, order = (
        SessionExports(AgentRuntime(world.stage.client("/agents")), EvidenceStore(Folder(tmp_path), None)),
        ExportSession(incident_id=INCIDENT, session=session.id),
    )
    effect = await attempt(SessionExports.export, exports, order, world.stage.call(key="x"))
    raw = Path(str(effect.after["location"])).read_bytes()
    assert SECRET in json.loads(raw)["turns"] and hashlib.sha256(raw).hexdigest() == effect.after["sha256"]
    assert SECRET not in effect.model_dump_json()
    again = await attempt(SessionExports.export, exports, order, world.stage.call(key="x"), 2)
    assert again.adopted and len([one for one in tmp_path.rglob("*") if one.is_file()]) == 1
