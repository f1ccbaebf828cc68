"""The OpenAPI document of the installed LiteLLM proxy as a judge: what our client sends must fit it, and our face must know no field more.

The proxy itself is not started: its limits live in a database whose driver (Prisma) fetches a program of its own from elsewhere.
"""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from activities.action import Call
from activities.budgets.limit import Limit
from activities.budgets.litellm import LiteLLM
from activities.kit.http import HttpClient
from practice.faces.litellm import KeyUpdate, TeamUpdate
from practice.world.stage import served
from practice.world.state import JSON
from tests.judges.verdicts import FAILURES, NO_FAILURE, Judge, Verdict, installed

LITELLM = "1.106.12"
ASKED = """
import json, sys
from jsonschema import Draft202012Validator
from litellm.proxy.proxy_server import app

document = app.openapi()
fields = lambda path: document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
named = lambda schema: document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
wrong = []
for path, body in json.load(sys.stdin):
    schema = {**named(fields(path)), "components": document["components"]}
    wrong += [f"{path}: {found.message}" for found in Draft202012Validator(schema).iter_errors(body)]
    wrong += [f"{path}: the proxy knows no field {name}" for name in sorted(set(body) - set(schema["properties"]))]
print("SAID " + json.dumps(wrong))
"""
LIMITS = (
    Limit(spend_usd_per_hour=5.0, llm_rate=9000),
    Limit(spend_usd_per_hour=0.0),
    Limit(llm_rate="low"),
    Limit(),
)


class Heard(HttpClient):
    """Our own HTTP client, and what was written with it."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        super().__init__(url, headers, timeout=30)
        self.written: list[tuple[str, JSON]] = []

    async def write(self, call: Call, method: str, path: str, **more: Any) -> Any:
        self.written.append((path, more["json"]))
        return await super().write(call, method, path, **more)


async def judged_by_litellm(bin_folder: Path) -> list[str]:
    """What does not fit the proxy's own document; nothing when everything does."""
    call = Call(incident_id="inc", key="k", at=datetime.now(UTC))
    async with served() as stage, Heard(f"{stage.url}/litellm", {"Authorization": "Bearer practice-token"}) as http:
        client = LiteLLM(http)
        for scope, name in (("key", "key-batch"), ("tenant", "cedar-homes")):
            for limit in (*LIMITS, *((Limit(concurrency=2), Limit()) if scope == "key" else ())):
                before = await client.read(call, scope, name)
                await client.write(call, scope, name, limit, before.value, before.version)
        written = [*http.written]
    written += [
        ("/key/update", dict.fromkeys(KeyUpdate.model_fields)),
        ("/team/update", {**dict.fromkeys(TeamUpdate.model_fields), "team_id": "t"}),
    ]
    return await asyncio.to_thread(_said_of, bin_folder / "python", written)


def _said_of(python: Path, written: list[tuple[str, JSON]]) -> list[str]:
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": "/usr/bin:/bin"}
    judge = subprocess.run([str(python), "-c", ASKED], input=json.dumps(written), capture_output=True, text=True, check=True, env=quiet)
    said: list[str] = json.loads(judge.stdout.rpartition("SAID ")[2])
    return said


async def run(folder: Path) -> Sequence[Verdict]:
    wrong = await judged_by_litellm(installed("litellm", f"litellm[proxy]=={LITELLM}"))
    said = "\n".join(wrong) or "every request of our client fits, and our face knows no field more"
    judged = f"`/litellm`, and our client, by the document of LiteLLM {LITELLM}"
    return [Verdict(judged, "python -c 'litellm.proxy.proxy_server.app.openapi()'", said, FAILURES if wrong else NO_FAILURE)]


JUDGE = Judge("litellm", run)
