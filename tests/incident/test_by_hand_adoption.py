"""Everything of ours is dead, and an engineer goes on from the printed page: what they did is adopted when we come back, not done again."""

import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError

from activities.ledger.ledger import Ledger
from tests.incident.test_notes_and_by_hand import by_hand, commands
from tests.stage.drill import drill
from tests.stage.organisation import ORGANISATION, ROLES
from tests.stage.outages import makes, passes, pinned, quick, story
from tests.stage.real_server import RealServer, Running, real_server
from tests.stage.running import until
from workflows.incident import State
from workflows.status import Status

PACE = 60.0
PATIENCE = 60.0  # real seconds, on a machine that does other things as well
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
BACK = [
    f"gcloud --quiet run services update-traffic api --region={region} --to-revisions=api-00041=100 --project=acme"
    for region in ("eu-west", "us-east")
]
# Time really passes here: what is waited for may take as long as this machine takes.
UNHURRIED = quick().replace('"PT3M"', '"PT20M"').replace('unknown_after = "PT5M"', 'unknown_after = "PT60M"')


class Printed(NamedTuple):
    """One printed line of gcloud, understood."""

    service: str
    region: str
    project: str
    revision: str
    percent: int


def understood(line: str) -> Printed:
    """What gcloud would make of that line; fails when it is not the whole command."""
    words = shlex.split(line)
    assert words[:5] == ["gcloud", "--quiet", "run", "services", "update-traffic"], line
    flags = {name: value for name, _, value in (word.partition("=") for word in words[6:])}
    assert set(flags) == {"--region", "--to-revisions", "--project"}, line
    found = re.fullmatch(r"([\w-]+)=(\d+)", flags["--to-revisions"])
    assert found, line
    return Printed(words[5], flags["--region"], flags["--project"], found[1], int(found[2]))


async def run(http: httpx.AsyncClient, one: Printed) -> None:
    """Do what gcloud does: read the service, write its traffic under the etag that was read, and look until it is so."""
    path = f"/run/v2/projects/{one.project}/locations/{one.region}/services/{one.service}"
    theirs = {"Authorization": "Bearer practice-token"}

    async def seen() -> dict[str, Any]:
        said: dict[str, Any] = (await http.get(path, headers=theirs)).raise_for_status().json()
        return said

    traffic = [{"type": REVISION, "revision": one.revision, "percent": one.percent}]
    body = {"etag": (await seen())["etag"], "traffic": traffic}
    (await http.patch(path, params={"updateMask": "traffic"}, json=body, headers=theirs)).raise_for_status()

    async def served() -> bool:
        return bool((await seen())["trafficStatuses"] == traffic)

    await until(served, f"{one.region} to serve {one.revision}")


async def shifts(stage: RealServer) -> list[dict[str, Any]]:
    """Every change of a split that really happened, whoever made it."""
    effects: list[dict[str, Any]] = (await stage.practice.get("/practice/effects")).raise_for_status().json()["effects"]
    return [one for one in effects if one["face"] == "run" and one["changed"]]


async def splits(stage: RealServer) -> dict[str, dict[str, float]]:
    """What serves `api` where, as the world has it."""
    places = (await stage.practice.get("/practice/world")).raise_for_status().json()["fleet"]["services"]["api"]["places"]
    return {region: {name: share for name, share in place["split"].items() if share} for region, place in places.items()}


async def a_bad_deploy(stage: RealServer) -> None:
    """A bad revision of `api` comes to traffic, and the metrics show it."""
    (await stage.practice.post("/practice/deploys", json={"service": "api", "error_rate": 0.4})).raise_for_status()
    failed, every = 'service_requests_total{service="api",outcome="error"}[2m]', 'service_requests_total{service="api"}[2m]'

    async def shown() -> bool:
        asked = {"query": f"sum(increase({failed})) / sum(increase({every}))"}
        found = (await stage.practice.get("/prom/api/v1/query", params=asked)).json()["data"]["result"]
        return bool(found) and float(found[0]["value"][1]) > 0.3

    await until(shown, "the metrics to show the bad revision", PATIENCE)


def on_the_ledger(ledger: Ledger, incident: str, ready: Callable[[Status], object]) -> Callable[[], Awaitable[Status | None]]:
    """The ledger's last word about an incident, once it is `ready`."""

    async def kept() -> Status | None:
        known = ledger.status(incident)
        status = Status.model_validate(known.status) if known else None
        return status if status and ready(status) else None

    return kept


async def ends(incident: Running) -> Status:
    """Somebody commands, and every question gets a yes, with its person's code, until it is over."""
    await incident.handle.execute_update("acknowledge", {"by": "dana"})
    answered: set[int] = set()

    async def over() -> bool:
        if (await incident.handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
            return True
        for question in (await incident.status()).asking:
            if question.number not in answered:
                answered.add(question.number)
                code = await incident.stage.code(ROLES[question.roles[0]], question.number)
                given = {"question": question.number, "code": code, "reason": "seen"}
                try:
                    await incident.handle.execute_update(question.options[0], given)
                except WorkflowUpdateFailedError:
                    if any(q.number == question.number for q in (await incident.status()).asking):
                        raise  # otherwise the metrics have answered it meanwhile
        return False

    await until(over, "the end of the incident", PATIENCE)
    return await incident.status()


@pytest.mark.processes
async def test_a_rollback_done_by_hand_while_temporal_is_dead_is_not_repeated(tmp_path: Path) -> None:
    async with real_server(tmp_path, PACE, policy=UNHURRIED, serving=False) as stage:
        await a_bad_deploy(stage)
        async with stage.serving():
            name = "inc-20261124-outage-api"
            incident = Running(
                stage, await stage.client.start_workflow("ProductionOutage", {"service": "api"}, id=name, task_queue=stage.urgent)
            )
            asked = on_the_ledger(stage.fleet.ledger, name, lambda status: any("Roll api back" in q.asks for q in status.asking))
            status: Status = await until(asked, "the question on the ledger", PATIENCE)
        stage.processes.kill("temporal")

        printed = by_hand(tmp_path, "by-hand", name)
        lines = [line for line in commands(printed) if "api-00041=100" in line]
        assert lines == BACK, printed
        question = next(one for one in status.asking if "Roll api back" in one.asks)
        assert f"[{question.number}] Roll api back to api-00041" in printed
        for line in lines:
            await run(stage.practice, understood(line))
        theirs = await shifts(stage)
        assert len(theirs) == 2 and await splits(stage) == pinned("api-00041")

        await stage.restart_temporal()
        async with stage.serving():
            status = await ends(incident)
            told = story(await incident.timeline())
        assert status.state is State.RESOLVED, told
        # Whoever comes first: our look at the metrics, after which nobody is asked any more, or a yes, which finds it done.
        noticed = f"[{question.number}] need not be answered any more: the impact has ended by the metrics" in told
        assert [row.outcome for row in stage.fleet.ledger.effects(name) if row.verb == "deploys.shift"] == (
            [] if noticed else ["adopted"]
        ), told
        assert await shifts(stage) == theirs, "what people did by hand is never done again"
        assert stage.fleet.ledger.verify(name).intact


async def test_what_is_still_to_come_is_printed_with_its_commands_before_anybody_is_asked(tmp_path: Path) -> None:
    """A plan is made beside the incident; what holds the incident up (no freeze can be had) does not hold up the plan."""
    organisation = ORGANISATION.replace("plan_ahead = false", "plan_ahead = true").format(policy=quick())
    async with drill(tmp_path, organisation=organisation) as stage:
        await makes(stage, "deploys", service="api", error_rate=0.4)
        await passes(stage, 180)
        await stage.inject("github.rulesets.create", "fail")
        incident = await stage.declare("ProductionOutage", service="api")
        planned = on_the_ledger(stage.fleet.ledger, incident.id, lambda status: status.plan)
        status: Status = await until(planned, "the plan on the ledger", PATIENCE)
        assert not any("Roll" in question.asks for question in status.asking), "nobody was asked about it so far"

    printed = by_hand(tmp_path, "by-hand", incident.id)
    to_come = printed.partition("# -- still to come --")[2]
    assert [line for line in commands(to_come) if "api-00041=100" in line] == BACK, printed
    assert all(shlex.split(command) for command in commands(printed)), "each is one whole command of a shell"
