"""`python -m tests.stage.record_histories [NAME …]`: record what `test_histories.py` replays. Run it when a playbook's commands change on purpose.

A change that makes an old history fail would wedge every incident in flight: deploy it under `workflow.patched`, or drain first (ADR 10).
"""

import asyncio
import gzip
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.worker import Replayer

from tests.playbooks.cache_poisoning.poisoned import ends
from tests.playbooks.cost_runaway.runaway import control, declared, mended, runs_away
from tests.playbooks.data_breach import breached as breach
from tests.playbooks.database_failover import broken as database
from tests.playbooks.prompt_injection import attacked as injection
from tests.playbooks.queue_backlog import piled as queue
from tests.playbooks.secret_compromise import stolen as credentials
from tests.playbooks.supply_chain_cve import supplied as supply_chain
from tests.playbooks.tenant_isolation import leaking as isolation
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS
from tests.stage.outages import makes, passes
from tests.stage.running import RunningIncident
from tests.stores.caches import emptied, server
from worker.converter import data_converter
from worker.service import runner, workflow_types
from workflows.incident import Phase

HISTORIES = Path(__file__).parents[1] / "histories"
# A drill leaves out the cancel of a timer that is about to fire (`orderly.py`). When the incident ends before that, its history replays nowhere.
TRIES = 5


async def resolved(stage: Drill) -> RunningIncident:
    """Fail over, degrade, canary back."""
    await stage.edit(providers={"borealis": {"parity": 0.93}})
    await stage.break_provider(provider="aurora", kind="overload", rate=0.6, for_seconds=1500)
    incident = await stage.declare()
    await incident.ends(skip=timedelta(seconds=50))
    return incident


async def declined(stage: Drill) -> RunningIncident:
    """Nobody wants anything; the primary comes back by itself; the commander stands down."""
    await stage.edit(providers={"borealis": {"parity": 0.93}})
    await stage.break_provider(provider="aurora", kind="overload", rate=0.6, for_seconds=1500)
    incident = await stage.declare()
    for about in ("Publish", "Fail", "retrieval only"):
        await incident.answer(about, "decline")
    await incident.say("stand_down", {"by": "dana", "reason": "recorded"})
    await incident.ends()
    return incident


async def triaged(stage: Drill) -> RunningIncident:
    """An unknown alert, passed on by a person; a lot that could not be understood on the way."""
    incident = await stage.declare("Triage", service="unknown", title="something beeps")
    await incident.handle.signal("approve", args=[])
    await incident.handle.signal("nonsense", {"a": 1})
    await incident.ends({"Which playbook": "answer"})
    return incident


async def rolled_back(stage: Drill) -> RunningIncident:
    """A bad revision; rolled back under the freeze; a fixed build earns the traffic."""
    (await stage.http.post("/practice/deploys", json={"service": "api", "error_rate": 0.4})).raise_for_status()
    stage.forward(180)
    await stage.env.sleep(timedelta(seconds=180))
    incident = await stage.declare("ProductionOutage", service="api")
    await incident.answer("Roll api back")
    await incident.hears("api is pinned to")
    (await stage.http.post("/practice/deploys", json={"service": "api", "what": "the fix"})).raise_for_status()
    await incident.ends()
    return incident


async def false_alarm(stage: Drill) -> RunningIncident:
    """Nothing is wrong with the service: the freeze that was held is released at once, and nothing else was imposed."""
    incident = await stage.declare("ProductionOutage", service="api")
    await incident.hears("done: freezes.hold")
    await incident.verified("stand_down", "dana", reason="recorded", false_alarm=True)  # it ends the freeze, which is C2
    await incident.ends()
    return incident


async def called_in(stage: Drill) -> RunningIncident:
    """A bad revision; another playbook is called in, which people carry on with by hand."""
    (await stage.http.post("/practice/deploys", json={"service": "api", "error_rate": 0.4})).raise_for_status()
    stage.forward(180)
    await stage.env.sleep(timedelta(seconds=180))
    incident = await stage.declare("ProductionOutage", service="api")
    await incident.commanded()
    fields = {"playbook": "llm_provider_outage"}
    await incident.say("do", {"by": "dana", "procedure": "call-in", "fields": fields, "reason": "the orchestrator times out"})
    await incident.hears("§2.2 LLM provider outage")
    await incident.ends({"models.route on route/api": "hand_over"})
    return incident


async def budget_waived(stage: Drill) -> RunningIncident:
    """The error budget is exhausted; changes halt until the commander waives it. An hour of history is enough here."""
    with stage.settings.organisation.open("a") as organisation:
        organisation.write('[policy.slo]\nleast_history = "PT30M"\n')
    (await stage.http.post("/practice/deploys", json={"service": "api", "error_rate": 0.005})).raise_for_status()
    stage.forward(3600)
    await stage.env.sleep(timedelta(seconds=3600))
    incident = await stage.declare("SloBurn", service="api")
    await incident.answer("Waive the exhausted error budget", reason="the launch was agreed with Prod Review")
    (await stage.http.post("/practice/deploys", json={"service": "api", "what": "the fix"})).raise_for_status()
    await incident.ends()
    return incident


async def cache_cleaned(stage: Drill) -> RunningIncident:
    """A poisoned source and what was cached of it, with a real Valkey; the cache comes back a share at a time."""
    await makes(stage, "caches", address=server().address("product"))
    await passes(stage, 600)
    await makes(stage, "knowledge-faults", kind="poisoned")
    await passes(stage, 330)
    incident = await stage.declare("CachePoisoning", labels={"domain": "billing"})
    await ends(incident)
    return incident


async def cache_left(stage: Drill) -> RunningIncident:
    """The same, stood down while a new index waits for a word: what is in quarantine stays there."""
    await makes(stage, "knowledge-faults", kind="poisoned")
    await passes(stage, 330)
    incident = await stage.declare("CachePoisoning", labels={"domain": "billing"})
    await incident.question("from index")
    await incident.commanded()
    await incident.verified("stand_down", "dana", reason="recorded")
    await ends(incident)
    return incident


async def ran_away(stage: Drill) -> RunningIncident:
    """An agent loops; clamped, ended and paused; repaired, and everything is given back. A key that others use is lowered and called in for."""
    incident = await runs_away(stage)
    await incident.is_in(Phase.RECOVERY)
    await mended(stage)
    await incident.ends()
    return incident


async def stolen_key(stage: Drill) -> RunningIncident:
    """Nothing of ours runs away, and the provider's meter climbs; stood down when the key was revoked."""
    await control(stage, "stolen-keys", key="key-batch", tokens_per_minute=400_000)
    incident = await declared(stage)
    await incident.answer("key-batch", by="dana")
    await incident.hears("provider_keys.lower")
    await control(stage, "stolen-keys", key="key-batch", tokens_per_minute=None)
    await incident.verified("stand_down", "dana", reason="revoked at its issuer")
    await incident.ends()
    return incident


async def triple_rolled_back(stage: Drill) -> RunningIncident:
    """A prompt spoils one language, and the provider has moved its model: the triple is rolled back, the model pinned. Watched for an hour."""
    with stage.settings.organisation.open("a") as organisation:
        organisation.write('[policy.model_drift]\nnormal_for = "PT60M"\n')
    for what, given in (
        ("publishes", {"part": "prompt", "spoils": {"language": "de"}, "rate": 0.8}),
        ("moves", {"spoils": {"context": "long"}, "rate": 0.8}),
    ):
        (await stage.http.post(f"/practice/quality/{what}", json=given)).raise_for_status()
    stage.forward(900)
    await stage.env.sleep(timedelta(seconds=900))
    incident = await stage.declare("ModelDrift", service="chat")
    await incident.ends()
    return incident


async def injected(stage: Drill) -> RunningIncident:
    """A letter gives orders, agents obey, data leaves; it is contained, undone, repaired, and the sessions go on."""
    with stage.settings.organisation.open("a") as organisation:
        organisation.write(OTHERS + '[policy.prompt_injection]\nmonitored = "PT10M"\nhelped_within = "PT6M"\n')
    incident = await injection.reached(stage, "reversible", "outbound")
    await injection.ends(incident)
    return incident


async def failed_over(stage: Drill) -> RunningIncident:
    """The primary dies: it is fenced, a standby is promoted, and writes come back."""
    incident = await database.declared(stage, "dead")
    await database.ends(incident)
    return incident


async def stale_replicas(stage: Drill) -> RunningIncident:
    """A long query keeps a replica from replaying: reads move, the query is cancelled, nothing is promoted."""
    incident = await database.declared(stage, {"kind": "blocked", "node": "db-2"}, seconds=420)
    await database.ends(incident)
    return incident


async def drained(stage: Drill) -> RunningIncident:
    """A tenant brings four times of what is usual, and a poisoned job ends its workers: held back, parked, scaled, and given back."""
    with stage.settings.organisation.open("a") as organisation:
        organisation.write(OTHERS)
    await makes(stage, "job-faults", kind="hot_tenant")
    await makes(stage, "job-faults", kind="poison", queue="email")
    await makes(stage, "job-faults", kind="deadlock", queue="billing", factor=1)
    await passes(stage, 300)
    incident = await stage.declare("QueueBacklog", service="api")
    await queue.ends(incident, step=47)
    return incident


async def left_paused(stage: Drill) -> RunningIncident:
    """What it stands on is full: nothing is scaled. Stood down while it lasts; what was held back is given back."""
    await makes(stage, "job-faults", kind="dependency")
    await passes(stage, 300)
    incident = await stage.declare("QueueBacklog", service="api")
    await incident.hears("not scaled")
    await incident.commanded()
    await incident.verified("stand_down", "dana", reason="recorded")
    await incident.ends()
    return incident


async def isolated(stage: Drill) -> RunningIncident:
    """Two endpoints that share their code leak, one of them unseen; contained, repaired, proven, and let in again a share at a time."""
    await makes(stage, "tenancy-faults", kind="missing_where", endpoints=["documents.get", "documents.export"])
    await passes(stage, 120)
    incident = await stage.declare("TenantIsolation", service="api", labels={"endpoint": "documents.get"})
    await isolation.ends(stage, incident, fix={})
    return incident


async def mixed_up(stage: Drill) -> RunningIncident:
    """Identities are mixed up: everybody signs in again, tenant by tenant; stood down while the hotfix is waited for."""
    await makes(stage, "tenancy-faults", kind="sessions")
    await passes(stage, 120)
    incident = await stage.declare("TenantIsolation", service="api")
    await isolation.ends(stage, incident, until=Phase.RECOVERY)
    await incident.verified("stand_down", "dana", reason="recorded")
    await isolation.ends(stage, incident)
    return incident


async def key_stolen(stage: Drill) -> RunningIncident:
    """A deployer's key is stolen, and with it four more could be read: revoked and replaced by danger, everybody signed out on two words."""
    await makes(stage, "credential-dials", thief="deployer")
    await passes(stage, 120)
    incident = await stage.declare("SecretCompromise", service="api", labels={"inventory_id": "deployer"})
    await credentials.ends(stage, incident)
    return incident


async def overlap_chosen(stage: Drill) -> RunningIncident:
    """A stolen key is kept alive for an overlap that people chose, replaced, and revoked; stood down before the day is over."""
    await makes(stage, "credential-dials", thief="database")
    await passes(stage, 120)
    incident = await stage.declare("SecretCompromise", service="api", labels={"inventory_id": "database"})
    await credentials.ends(stage, incident, {"Keep the stolen": "approve"}, until=Phase.RECOVERY)
    await incident.verified("stand_down", "dana", reason="recorded")
    await incident.ends()
    return incident


async def built_without(stage: Drill) -> RunningIncident:
    """A malicious release ran on a builder, a laptop and a node: blocked, kept, cut off, rotated, and built without on another builder."""
    await makes(stage, "supply-faults", kind="malicious")
    await passes(stage, 60)
    incident = await stage.declare("SupplyChainCve", service="api", labels={"advisory": "MAL-2026-9120"})
    await supply_chain.ends(stage, incident, skip=47)
    return incident


async def patched(stage: Drill) -> RunningIncident:
    """A critical vulnerability: a virtual patch, a rebuild, a canary; stood down while the fleet is watched."""
    await makes(stage, "supply-faults", kind="vulnerable")
    await passes(stage, 60)
    incident = await stage.declare("SupplyChainCve", service="api", labels={"advisory": "GHSA-q4rx-7m2p-9v5c"})
    await supply_chain.ends(stage, incident, until=Phase.RECOVERY, skip=47)
    await incident.verified("stand_down", "dana", reason="recorded")
    await supply_chain.ends(stage, incident, skip=47)
    return incident


async def evicted(stage: Drill) -> RunningIncident:
    """Somebody reads by a stolen credential: kept, cut off, revoked, evicted, rebuilt, and quiet."""
    await makes(stage, "intrusions")
    await passes(stage, 300)
    incident = await stage.declare("DataBreach", service="api")
    await breach.ends(stage, incident, skip=47)
    return incident


async def cut_off(stage: Drill) -> RunningIncident:
    """The same; stood down by the commander and Security while the asset is cut off."""
    await makes(stage, "intrusions", footholds=["oauth"])
    await passes(stage, 300)
    incident = await stage.declare("DataBreach", service="api")
    await breach.hears(incident, "1 of 1 evicted", skip=47)
    await incident.verified("stand_down", "dana", reason="recorded")
    await breach.ends(stage, incident, skip=47)
    return incident


SCENES: dict[str, Callable[[Drill], Awaitable[RunningIncident]]] = {
    "llm_provider_outage-resolved": resolved,
    "llm_provider_outage-stood-down": declined,
    "production_outage-resolved": rolled_back,
    "production_outage-false-alarm": false_alarm,
    "production_outage-called-in": called_in,
    "model_drift-resolved": triple_rolled_back,
    "slo_burn-waived": budget_waived,
    "cache_poisoning-resolved": cache_cleaned,
    "cache_poisoning-stood-down": cache_left,
    "cost_runaway-resolved": ran_away,
    "cost_runaway-stolen-key": stolen_key,
    "database_failover-resolved": failed_over,
    "database_failover-stale": stale_replicas,
    "queue_backlog-resolved": drained,
    "queue_backlog-stood-down": left_paused,
    "prompt_injection-resolved": injected,
    "data_breach-resolved": evicted,
    "data_breach-stood-down": cut_off,
    "tenant_isolation-resolved": isolated,
    "tenant_isolation-stood-down": mixed_up,
    "secret_compromise-resolved": key_stolen,
    "secret_compromise-stood-down": overlap_chosen,
    "supply_chain_cve-resolved": built_without,
    "supply_chain_cve-stood-down": patched,
    "triage-answered": triaged,
}


async def record(*only: str) -> None:
    """Record every scene, or those of these names."""
    HISTORIES.mkdir(exist_ok=True)
    for name, scene in SCENES.items():
        if only and name not in only:
            continue
        for again in range(TRIES):
            try:
                await _record(name, scene)
                break
            except workflow.NondeterminismError:
                if again + 1 == TRIES:
                    raise
                print(name, "does not replay; told once more", flush=True)


async def _record(name: str, scene: Callable[[Drill], Awaitable[RunningIncident]]) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        async with drill(Path(tmp), **_settings(name, Path(tmp))) as stage:
            incident = await scene(stage)
            history = await incident.handle.fetch_history()
            status = await incident.status()
    await Replayer(workflows=workflow_types(), data_converter=data_converter, workflow_runner=runner()).replay_workflow(history)
    (HISTORIES / f"{name}.json.gz").write_bytes(gzip.compress(history.to_json().encode(), mtime=0))
    (HISTORIES / f"{name}.status.json").write_text(status.model_dump_json(indent=1) + "\n")
    print(name, len(history.events), "events", status.state, flush=True)


def _settings(name: str, tmp: Path) -> dict[str, Any]:
    """Whom and what a scene needs beside the usual stage."""
    if name.startswith("database_failover"):
        return {"policy": database.PEOPLE}
    if name.startswith("supply_chain_cve"):
        keys = credentials.QUICK.format(numbers="")
        return {"policy": supply_chain.quick(more=keys), "secret_manager_project": "acme"}
    if name.startswith("data_breach"):
        return {"policy": breach.quick(), "secret_manager_project": "acme"}
    if name.startswith("tenant_isolation"):
        return {"policy": isolation.quick()}
    if name.startswith("secret_compromise"):
        return {"policy": credentials.quick(), "secret_manager_project": "acme"}
    if not name.startswith("cache_poisoning"):
        return {}
    return {"policy": OTHERS, "cache_address": emptied().address(), "cache_password": f"file:{tmp / 'token'}"}


if __name__ == "__main__":
    asyncio.run(record(*sys.argv[1:]))
    sys.stdout.flush()
    os._exit(0)
