"""A build without the affected version: hash-locked, on a clean builder, by a run of GitHub Actions (A.12 M6).

The repository's workflow `incident-rebuild.yml` takes `package`, `version`, `builder`, `not_on` and `key`; `incident-release.yml`, which brings
an image to its platform, takes `digest` and `key` (docs/supply-chain.md). A dispatch names no run
and has no idempotency key: its title carries ours, and runs are looked through to their end before another is dispatched.

What was built is believed when both scanners find the wanted version and nothing affected, in a bill of material that the builder has signed.
"""

from datetime import timedelta
from typing import ClassVar

from activities.action import Call, NotYet, Order, Refused, Risk, Role
from activities.advisories.ranges import listed_in, major
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

WORKFLOW, RELEASE = "incident-rebuild.yml", "incident-release.yml"
LISTED_WITHIN = timedelta(seconds=20)  # a run is listed some seconds after it was dispatched


class Rebuild(Order):
    """`version` empty: without the package. `current`: what it has now: another major version is never built by us. `affected`, `blocked`: what
    must not be in it. `builder` empty: the pipeline's own choice; `not_on`: builders that are not trusted now."""

    volatile: ClassVar[frozenset[str]] = frozenset({"affected"})
    undone = "nothing to undo: the build serves nobody until it is given traffic"

    service: Deployed
    package: str
    version: str
    current: str = ""
    builder: str = ""
    not_on: tuple[str, ...] = ()
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
        return {"package": self.package, "version": self.version, "builder": self.builder, "not_on": ",".join(self.not_on)}

    def by_hand(self) -> tuple[str, ...]:
        fields = [part for name, value in self.inputs.items() if value for part in ("-f", f"{name}={value}")]
        run = command("gh", "workflow", "run", WORKFLOW, "--repo", self.service.repository, "--ref", self.service.branch, *fields)
        return (run, comment("then scan the image by two scanners, and see that its bill of material is signed"))


class Release(Order):
    """Bring an image to its platform. On Cloud Run its revision has no traffic; on Kubernetes the pipeline rolls it out, whole."""

    undone = "send the traffic back to the revision before"

    service: Deployed
    image: str  # its digest

    def target(self) -> str:
        return f"release/{self.service.name}"

    def workloads(self) -> tuple[str, ...]:
        return self.service.workloads()

    def effect(self) -> str:
        whole = "without traffic" if self.service.platform == "cloud_run" else "whole: it serves as soon as it is ready"
        return f"bring {self.image[:19]} to {self.service.name}, {whole}"

    @property
    def inputs(self) -> dict[str, str]:
        return {"digest": self.image}

    def by_hand(self) -> tuple[str, ...]:
        of = ("--repo", self.service.repository, "--ref", self.service.branch)
        return (command("gh", "workflow", "run", RELEASE, *of, "-f", f"digest={self.image}"),)


class Actions(GitHubClient):
    """Runs of a repository's workflows."""

    async def dispatch(self, call: Call, order: "Rebuild | Release", workflow: str) -> None:
        body = {"ref": order.service.branch, "inputs": {**order.inputs, "key": call.key}}
        await self._write(call, "POST", _path(order, "workflows", workflow, "dispatches"), body)

    async def run_of(self, call: Call, order: "Rebuild | Release", workflow: str) -> str | None:
        """The newest run whose title carries our key."""

        async def page(number: int) -> tuple[list[Json], int | None]:
            answer = await self._read(
                call, _path(order, "workflows", workflow, "runs"), event="workflow_dispatch", per_page=100, page=number
            )
            return answer.json()["workflow_runs"], number + 1 if "next" in answer.links else None

        listed = pages(f"runs of {workflow}", 1, page)
        found = [one async for one in listed if str(one["display_title"]).endswith(f" {call.key}")]
        return str(max(found, key=lambda one: int(one["id"]))["id"]) if found else None

    async def runs(self, call: Call, repository: str) -> None:
        """Raises `Refused` where the repository has no such workflows, or shows us none."""
        for workflow in (WORKFLOW, RELEASE):
            await self._read(call, path("repos", *repository.split("/"), "actions", "workflows", workflow, "runs"), per_page=1)

    async def progress(self, call: Call, order: "Rebuild | Release", id: str) -> Progress:
        said = dict((await self._read(call, _path(order, "runs", id))).json())
        if said["status"] != "completed":
            return Progress(at=At.RUNNING, says=f"run {id} is {said['status']}")
        if said["conclusion"] != "success":
            why = str((said.get("head_commit") or {}).get("message") or "")[:120]
            return Progress(at=At.FAILED, says=f"run {id}: {said['conclusion']}" + (f" ({why})" if why else ""))
        digest = await self.image(call, order, id)
        if not digest:
            return Progress(at=At.UNKNOWN, says=f"run {id} has succeeded, and shows no image")
        return Progress(at=At.DONE, says=f"run {id} shows {digest[:19]}", after={"digest": digest})

    async def image(self, call: Call, order: "Rebuild | Release", id: str) -> str:
        """The digest of its image; empty where it has none."""
        said = (await self._read(call, _path(order, "runs", id, "artifacts"))).json()["artifacts"]
        return next((str(one["digest"]) for one in said if one["name"] == "image" and one.get("digest")), "")

    async def begun(self, call: Call, order: "Rebuild | Release", workflow: str) -> str:
        """Dispatched, and found by our key."""
        await self.dispatch(call, order, workflow)
        found = await self.run_of(call, order, workflow)
        if found is None:
            raise NotYet("dispatched, but GitHub does not list the run yet", after=SOON)
        return found


class Rebuilds(Operation[Rebuild], name="builds.rebuild", risk=Risk.C2, asks=(Role.SECURITY_LEAD, Role.OPS_LEAD)):
    """Builds by GitHub Actions, judged by our own scanners."""

    looks_every, shows_within = timedelta(seconds=10), LISTED_WITHIN

    def __init__(self, actions: Actions, plane: SupplyPlane, clock: Clock) -> None:
        self._actions, self._builds, self.clock = actions, Builds(plane), clock

    async def precondition(self, call: Call, order: Rebuild) -> None:
        if not order.service.repository:
            raise Refused(f"{order.service.name} has no repository in the organisation's catalogue: nobody can build it for us")
        if order.builder in order.not_on and order.builder:
            raise Refused(f"malicious code ran on {order.builder}: nothing is built there")
        if order.version and order.current and major(order.version) != major(order.current):
            raise Refused(f"{order.package} {order.version} is another major version than {order.current}: people upgrade it, never we")
        if order.version and listed_in(order.blocked, order.package, order.version):
            raise Refused(f"{order.package} {order.version} is on the blocklist: it is never built with that")

    async def find(self, call: Call, order: Rebuild) -> str | None:
        return await self._actions.run_of(call, order, WORKFLOW)

    async def start(self, call: Call, order: Rebuild) -> str:
        return await self._actions.begun(call, order, WORKFLOW)

    async def status(self, call: Call, order: Rebuild, id: str) -> Progress:
        return await self._actions.progress(call, order, id)

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


class Releases(Operation[Release], name="builds.release", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER, Role.SECURITY_LEAD)):
    """Images that the pipeline brings to their platform; what then serves is read at the platform itself."""

    looks_every, shows_within = timedelta(seconds=10), LISTED_WITHIN

    def __init__(self, actions: Actions, clock: Clock) -> None:
        self._actions, self.clock = actions, clock

    async def find(self, call: Call, order: Release) -> str | None:
        return await self._actions.run_of(call, order, RELEASE)

    async def start(self, call: Call, order: Release) -> str:
        return await self._actions.begun(call, order, RELEASE)

    async def status(self, call: Call, order: Release, id: str) -> Progress:
        return await self._actions.progress(call, order, id)

    async def verify(self, call: Call, order: Release, id: str) -> str:
        digest = await self._actions.image(call, order, id)
        if digest != order.image:
            raise Refused(f"run {id} has released {digest[:19] or 'nothing'}, and not {order.image[:19]}")
        return f"run {id} has released {digest[:19]}"


def _path(order: Rebuild | Release, *names: object) -> str:
    return path("repos", *order.service.repository.split("/"), "actions", *names)
