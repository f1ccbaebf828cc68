"""A drill with the freeze of `api` in the middle, and incidents that hold it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from activities.action import Call, Effect, Grant, Order, Verb, action_of
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptDeploy, ExemptionPurpose, FreezeOf, FreezeState, Hold, Release
from activities.organisation.catalogue import Deployed
from practice.services.repositories import HEADS, Commit, Repository
from tests.stage.drill import Drill, drill
from tests.stage.orderly import orderly
from tests.stage.running import completed, replays, until
from worker.service import worker

A, B = "inc-20261123-out-api", "inc-20261123-supply-api"
API = Deployed(name="api", platform="cloud_run", regions=("eu-west", "us-east"), repository="acme/api")
ARTEFACT = "sha256:" + "0a1b2c3d4e5f" * 5 + "0000"
OTHER = "sha256:" + "f0e1d2c3b4a5" * 5 + "0000"
SECURITY = """
[people.sam]
roles = ["security_lead"]
email = "sam@example.com"
slack = "U_SAM"
pager = "P_SAM"
"""
SELF_DECLARED = "verified_from = 3"  # C2 may be self-declared, as in the demo
HEADERS = {"Authorization": "Bearer practice-token"}


@dataclass
class Story:
    stage: Drill
    freezes: Freezes
    calls: int = 0

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.env.client.get_workflow_handle("freeze-api")

    @property
    def repository(self) -> Repository:
        return self.stage.world.state.repositories["acme/api"]

    async def call(self, verb: Verb[Any, Any], order: Order, incident: str = A, **more: Any) -> Call:
        """A call as an incident's workflow makes it, with a grant of its commander where one is needed."""
        self.calls += 1
        at = await self.stage.env.get_current_time()
        name = action_of(verb).name
        grant = Grant(question=1, covers=(order.digest(name),), by=("dana",), verified=True, at=at, expires_at=at + timedelta(minutes=15))
        made = {"incident_id": incident, "key": f"{incident}/{name}/{order.target()}/{self.calls}", "at": at, "grant": grant, **more}
        return Call.model_validate(made)

    async def hold(self, incident: str = A, holder: str = "") -> Effect:
        order = Hold(service=API, holder=holder or incident, reason="errors", by="dana")
        return await self.freezes.hold(order, await self.call(Freezes.hold, order, incident))

    async def release(self, incident: str = A, holder: str = "") -> Effect:
        order = Release(service=API, holder=holder or incident, reason="stable for 60 minutes")
        return await self.freezes.release(order, await self.call(Freezes.release, order, incident))

    async def exempt(self, purpose: ExemptionPurpose, artefact: str = ARTEFACT, incident: str = A) -> Effect:
        order = ExemptDeploy(service=API, holder=incident, artefact=artefact, purpose=purpose)
        return await self.freezes.exempt(order, await self.call(Freezes.exempt, order, incident))

    async def state(self) -> FreezeState:
        """What the freeze says of itself."""
        return await self.freezes.read(FreezeOf(service=API), await self.call(Freezes.read, FreezeOf(service=API)))

    async def lines(self) -> list[str]:
        """What happened, a line each: `kind: text`."""
        return [f"{line['kind']}: {line['text']}" for line in await self.handle.query("timeline")]

    async def hears(self, phrase: str, skip: timedelta = timedelta(seconds=30)) -> str:
        """The first line with a phrase. Lets time pass until there is one."""

        async def said() -> str:
            found = next((line for line in await self.lines() if phrase in line), "")
            if not found:
                await self.stage.env.sleep(skip)
            return found

        return str(await until(said, f"{phrase!r} in the freeze's timeline"))

    async def say(self, message: str, **words: Any) -> str:
        """Send a message as a person does, by the CLI's update."""
        return str(await self.handle.execute_update(message, words))

    async def refused(self, message: str, *given: Any) -> str:
        """The reason for which a message was refused; fails when it was not."""
        try:
            said = await self.handle.execute_update(message, args=list(given))
        except WorkflowUpdateFailedError as no:
            return str(getattr(no.cause, "message", no.cause))
        raise AssertionError(f"{message} was accepted: {said}")

    async def push(self, branch: str = "main", message: str = "a change") -> int:
        """Somebody's push, as GitHub takes it: the status code."""
        found, author = self.repository, {"name": "ada", "email": "ada@example.com", "date": "2026-11-23T11:00:00Z"}
        sha = found.add(Commit("f" * 40, message, [found.heads["main"]], author, author))
        path = "/github/repos/acme/api/git/refs"
        if branch in found.heads:
            answer = await self.stage.http.patch(f"{path}/heads/{branch}", json={"sha": sha, "force": True}, headers=HEADERS)
        else:
            answer = await self.stage.http.post(path, json={"ref": HEADS + branch, "sha": sha}, headers=HEADERS)
        return answer.status_code

    def deployed(self) -> list[str]:
        """What was deployed through GitHub since the world began."""
        return [c.what for c in self.stage.world.state.fleet.changes if "commit" in c.details]

    def rulesets(self) -> list[str]:
        """The names of the repository's rulesets."""
        return [ruleset.name for ruleset in self.repository.rulesets.values()]

    async def closed(self) -> None:
        """Wait until no branch is exempted any more, as GitHub has it."""

        async def none_exempted() -> bool:
            return [ruleset.exclude for ruleset in self.repository.rulesets.values()] == [[]]

        await until(none_exempted, "the exempted branches to be closed")

    async def ended(self) -> None:
        """By itself."""
        await completed(self.handle, "the freeze's workflow")

    async def replayed(self) -> None:
        await replays(self.handle)


@asynccontextmanager
async def story(tmp: Path, policy: str = "", tries: int = 7, more: str = "") -> AsyncIterator[Story]:
    """Everything up; nothing frozen. `tries`: how patient the verbs are. `more`: whole tables of the organisation."""
    async with drill(tmp, policy=policy + "\n" + more + SECURITY, serving=False) as stage:
        text = stage.settings.organisation.read_text().replace("tries = 7", f"tries = {tries}")
        stage.settings.organisation.write_text(text)
        (freezes,) = [system for system in stage.fleet.systems if isinstance(system, Freezes)]
        await stage.http.get("/github/repos/acme/api/branches/main", headers=HEADERS)
        served = worker(stage.env.client, stage.fleet, stage.settings.queues[0], stage.settings, debug_mode=True)
        await stage.workers.enter_async_context(orderly(served))
        yield Story(stage, freezes)
