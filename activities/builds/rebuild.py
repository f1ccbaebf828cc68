"""A build without the affected version: hash-locked, on a clean builder, by a run of GitHub Actions (A.12 M6).

The repository's workflow `incident-rebuild.yml` takes `package`, `version`, `builder` and `key` (docs/supply-chain.md). A dispatch names no run
and has no idempotency key: its title carries ours, and runs are looked through to their end before another is dispatched.

What was built is believed when both scanners find the wanted version and nothing affected, in a bill of material that the builder has signed.
"""

from datetime import timedelta
from typing import ClassVar

from activities.action import Call, NotYet, Order, Refused, Risk, Role
from activities.advisories.seen import AffectedPackage
from activities.builds.plane import SupplyPlane
from activities.builds.presence import ArtefactsOf, Builds
from activities.kit.clock import Clock
from activities.kit.http import pages
from activities.kit.operation import At, Operation, Progress
from activities.kit.rest import Json
from activities.kit.setting.write import SOON
from activities.kit.words.shell import command, comment
from activities.kit.words.urls import path
from activities.organisation.catalogue import Deployed
from activities.tickets.github import GitHubClient

WORKFLOW = "incident-rebuild.yml"
DONE = {"success": At.DONE}


class Rebuild(Order):
    """`version` empty: without the package. `affected`, `blocked`: what must not be in it. `builder` empty: the pipeline's own choice."""

    volatile: ClassVar[frozenset[str]] = frozenset({"affected"})
    undone = "nothing to undo: the build serves nobody until it is given traffic"

    service: Deployed
    package: str
    version: str
    builder: str = ""
    affected: tuple[AffectedPackage, ...] = ()
    blocked: tuple[str, ...] = ()

    def target(self) -> str:
        return f"build/{self.service.name}/{self.package}"

    def effect(self) -> str:
        what = f"with {self.package} {self.version}" if self.version else f"without {self.package}"
        return (
            f"build {self.service.name} {what}, hash-locked" + (f", on {self.builder}" if self.builder else "") + "; it gets no traffic yet"
        )

    @property
    def inputs(self) -> dict[str, str]:
        return {"package": self.package, "version": self.version, "builder": self.builder}

    def by_hand(self) -> tuple[str, ...]:
        fields = [part for name, value in self.inputs.items() if value for part in ("-f", f"{name}={value}")]
        run = command("gh", "workflow", "run", WORKFLOW, "--repo", self.service.repository, "--ref", self.service.branch, *fields)
        return (run, comment("then scan the image by two scanners, and see that its bill of material is signed"))


class Actions(GitHubClient):
    """Runs of a repository's workflows."""

    async def dispatch(self, call: Call, order: Rebuild) -> None:
        body = {"ref": order.service.branch, "inputs": {**order.inputs, "key": call.key}}
        await self._write(call, "POST", _path(order, "workflows", WORKFLOW, "dispatches"), body)

    async def run_of(self, call: Call, order: Rebuild) -> str | None:
        """The newest run whose title carries our key."""

        async def page(number: int) -> tuple[list[Json], int | None]:
            answer = await self._read(
                call, _path(order, "workflows", WORKFLOW, "runs"), event="workflow_dispatch", per_page=100, page=number
            )
            return answer.json()["workflow_runs"], number + 1 if "next" in answer.links else None

        found = [one async for one in pages("runs of the rebuild", 1, page) if str(one["display_title"]).endswith(f" {call.key}")]
        return str(max(found, key=lambda one: int(one["id"]))["id"]) if found else None

    async def runs(self, call: Call, repository: str) -> None:
        """Raises `Refused` where the repository has no such workflow, or shows us none."""
        await self._read(call, path("repos", *repository.split("/"), "actions", "workflows", WORKFLOW, "runs"), per_page=1)

    async def run(self, call: Call, order: Rebuild, id: str) -> Json:
        return dict((await self._read(call, _path(order, "runs", id))).json())

    async def image(self, call: Call, order: Rebuild, id: str) -> str:
        """The digest of what it has built; empty where it has built nothing."""
        said = (await self._read(call, _path(order, "runs", id, "artifacts"))).json()["artifacts"]
        return next((str(one["digest"]) for one in said if one["name"] == "image" and one.get("digest")), "")


class Rebuilds(Operation[Rebuild], name="builds.rebuild", risk=Risk.C2, asks=(Role.SECURITY_LEAD, Role.OPS_LEAD)):
    """Builds by GitHub Actions, judged by our own scanners."""

    looks_every = timedelta(seconds=10)

    def __init__(self, actions: Actions, plane: SupplyPlane, clock: Clock) -> None:
        self._actions, self._builds, self.clock = actions, Builds(plane), clock

    async def precondition(self, call: Call, order: Rebuild) -> None:
        if not order.service.repository:
            raise Refused(f"{order.service.name} has no repository in the organisation's catalogue: nobody can build it for us")
        if order.version and f"{order.package}=={order.version}" in order.blocked:
            raise Refused(f"{order.package} {order.version} is on the blocklist: it is never built with that")

    async def find(self, call: Call, order: Rebuild) -> str | None:
        return await self._actions.run_of(call, order)

    async def start(self, call: Call, order: Rebuild) -> str:
        await self._actions.dispatch(call, order)
        found = await self._actions.run_of(call, order)
        if found is None:
            raise NotYet("dispatched, but GitHub does not list the run yet", after=SOON)
        return found

    async def status(self, call: Call, order: Rebuild, id: str) -> Progress:
        said = await self._actions.run(call, order, id)
        if said["status"] != "completed":
            return Progress(at=At.RUNNING, says=f"run {id} is {said['status']}")
        if said["conclusion"] != "success":
            why = str((said.get("head_commit") or {}).get("message") or "")[:120]
            return Progress(at=At.FAILED, says=f"run {id}: {said['conclusion']}" + (f" ({why})" if why else ""))
        digest = await self._actions.image(call, order, id)
        if not digest:
            return Progress(at=At.UNKNOWN, says=f"run {id} has succeeded, and shows no image")
        return Progress(at=At.DONE, says=f"run {id} has built {digest[:19]}", after={"digest": digest})

    async def verify(self, call: Call, order: Rebuild, id: str) -> str:
        """By both scanners, and by the signature. Raises `Refused` for what is still affected: trying again would build the same."""
        digest = await self._actions.image(call, order, id)
        bill = await self._builds.bill(call, digest)
        if bill.why_not:
            raise Refused(f"{digest[:19]} is not believed: {bill.why_not}")
        wanted = ArtefactsOf(service=order.service.name, packages=order.affected, blocked=order.blocked)
        scanned = await self._builds.scanned(call, wanted, digest)
        if scanned.present is not False:
            raise Refused(
                f"{digest[:19]} is not clean: {', '.join(scanned.versions) or '; '.join(scanned.said) or 'a scanner cannot tell'}"
            )
        there = {one.version for one in bill.parts if one.name == order.package}
        if there != ({order.version} if order.version else set()):
            raise Refused(f"{digest[:19]} has {order.package} {', '.join(there) or 'not at all'}, and not {order.version or 'none'}")
        return f"two scanners find nothing affected in {digest[:19]}, and its bill of material is signed"


def _path(order: Rebuild, *names: object) -> str:
    return path("repos", *order.service.repository.split("/"), "actions", *names)
