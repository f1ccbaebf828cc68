"""What the pipeline does: it resolves the lockfile through the proxy and its own gate, builds, and registers the new revision without traffic."""

from __future__ import annotations

from practice.services.deploying import deploy
from practice.services.fleet import Service
from practice.services.fleet_cast import image_digest
from practice.supply.cast import DIRECT
from practice.supply.model import CI, PROXY, Artefact, Run, Supply
from practice.world.world import World

LOOKS = 2
REBUILD, RELEASE = "incident-rebuild.yml", "incident-release.yml"


def refusal(there: Supply, lock: dict[str, str]) -> str:
    """Why a build with this lockfile is refused; empty when it is not."""
    for package, version in lock.items():
        known = there.packages.get(package)
        if known is None or known.named(version) is None:
            return f"{package}=={version} is not to be had: no such version"
        for place in (PROXY, CI):
            if there.blocks(place, package, version):
                return f"{package}=={version} is on the blocklist ({place})"
    return ""


def advance(world: World, there: Supply, run: Run) -> None:
    """Somebody looks at it: after a while it is over."""
    run.looks += 1
    if run.conclusion or run.looks < LOOKS:
        return
    service = next((one for one in world.state.fleet.services.values() if one.repository == run.repository), None)
    if service is None:
        run.conclusion, run.why = "failure", "no service is built from this repository"
    elif run.workflow == RELEASE:
        _release(world, there, run, service)
    else:
        _build(world, there, run, service)


def _build(world: World, there: Supply, run: Run, service: Service) -> None:
    """An image with another lockfile. It runs nowhere yet."""
    package, version = run.inputs.get("package", ""), run.inputs.get("version", "")
    lock = dict(there.locks[service.name])
    if package:
        lock = {name: one for name, one in lock.items() if name != package} | ({package: version} if version else {})
    free = [one.name for one in there.hosts.values() if one.kind == "ci" and one.name not in run.inputs.get("not_on", "").split(",")]
    builder = run.inputs.get("builder") or (free[0] if free else "")
    run.why = refusal(there, lock) if builder in there.hosts else f"there is no builder {builder}"
    if run.why:
        run.conclusion = "failure"
        return
    there.locks[service.name] = lock
    run.digest = image_digest(world.seed, f"{run.repository}/{run.id}")
    there.artefacts[run.digest] = Artefact(run.digest, service.name, lock, builder, direct=[one for one in DIRECT if one in lock])
    run.conclusion = "success"


def _release(world: World, there: Supply, run: Run, service: Service) -> None:
    """An image comes to its platform. On Cloud Run it has a revision without traffic: what served goes on serving, pinned by its name."""
    artefact = there.artefacts.get(run.inputs.get("digest", ""))
    if artefact is None or artefact.service != service.name or refusal(there, artefact.components):
        run.conclusion, run.why = "failure", "no such image of this service, or it is refused"
        return
    if service.platform == "cloud_run":
        for region, place in service.places.items():
            place.split = service.serving(region)
    deploy(world, service.name, actor="ci", what=f"release {run.id}", digest=artefact.digest, error_rate=there.dials.breaks)
    run.conclusion, run.digest = "success", artefact.digest
