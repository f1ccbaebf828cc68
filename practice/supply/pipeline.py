"""What the pipeline does: it resolves the lockfile through the proxy and its own gate, builds, and registers the new revision without traffic."""

from __future__ import annotations

from dataclasses import replace

from practice.services.deploying import deploy
from practice.services.fleet_cast import image_digest, revision_name
from practice.supply.cast import DIRECT
from practice.supply.model import CI, PROXY, Artefact, Run, Supply
from practice.world.world import World

LOOKS = 2
UNDER_WAY = ""


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
        return
    package, version = run.inputs.get("package", ""), run.inputs.get("version", "")
    lock = dict(there.locks[service.name])
    if package:
        lock = {name: one for name, one in lock.items() if name != package} | ({package: version} if version else {})
    if run.inputs.get("builder") and run.inputs["builder"] not in there.hosts:
        run.conclusion, run.why = "failure", f"there is no builder {run.inputs['builder']}"
        return
    if why := refusal(there, lock):
        run.conclusion, run.why = "failure", why
        return
    there.locks[service.name] = lock
    run.digest = _built(world, there, run, service.name, lock)
    run.conclusion = "success"


def _built(world: World, there: Supply, run: Run, name: str, lock: dict[str, str]) -> str:
    """An image that serves nobody yet. On Cloud Run it has a revision without traffic: what served goes on serving, pinned by its name."""
    service, digest = world.state.fleet.services[name], image_digest(world.seed, f"{run.repository}/{run.id}")
    there.artefacts[digest] = Artefact(digest, name, lock, run.inputs.get("builder", "builder-1"), direct=list(DIRECT))
    if service.platform != "cloud_run":
        newest = service.newest()
        made = replace(
            newest, name=revision_name(name, newest.number + 1), number=newest.number + 1, digest=digest, created=world.clock.now()
        )
        service.revisions[made.name] = replace(made, error_rate=there.dials.breaks, green_minutes=0.0, actor="ci")
        return digest
    for region, place in service.places.items():
        place.split = service.serving(region)
    what = f"rebuild {run.id}: {run.inputs.get('package', '')} {run.inputs.get('version', '')}".strip()
    deploy(world, name, actor="ci", what=what, digest=digest, error_rate=there.dials.breaks)
    return digest
