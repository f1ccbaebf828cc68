"""What becomes known of a package, or happens by it: a vulnerability, a malicious release, a fix that is vulnerable itself."""

from __future__ import annotations

from practice.egress.outbound import Flow, Origin, outbound
from practice.services.deploying import deploy
from practice.supply.cast import HTTPKIT, QUICKYAML, sha256_of, supply
from practice.supply.model import PYPI, Advisory, Artefact, Install, Supply
from practice.world.state import JSON
from practice.world.world import World

VULNERABLE, MALICIOUS, SUPERSEDED = "vulnerable", "malicious", "superseded"
KINDS = (VULNERABLE, MALICIOUS, SUPERSEDED)
GHSA, CVE = "GHSA-q4rx-7m2p-9v5c", "CVE-2026-41077"
MAL = "MAL-2026-9120"
AGAIN, CVE_AGAIN = "GHSA-8wvj-c3h6-2f9r", "CVE-2026-44310"
IOC = "cdn.httpkit-telemetry.example"
CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
HIGH = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:H"


def begin(world: World, kind: str) -> Advisory:
    """From now on it is known, or it happens."""
    there = supply(world.state, world.clock.now())
    made = {VULNERABLE: _vulnerable, MALICIOUS: _malicious, SUPERSEDED: _superseded}[kind](world, there)
    there.advisories[made.id] = made
    return made


def _stamp(world: World, ago: float = 0.0) -> str:
    return f"{world.clock.stamp(world.clock.now() - ago)[:19]}Z"


def _record(world: World, id: str, package: str, events: list[JSON], versions: list[str], **more: object) -> JSON:
    affected = {
        "package": {"ecosystem": PYPI, "name": package, "purl": f"pkg:pypi/{package}"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}] if events else [], "versions": versions,
    }  # fmt: skip
    at = {"published": _stamp(world, 3600), "modified": _stamp(world)}
    return {"schema_version": "1.7.0", "id": id, **at, "affected": [affected], **more}


def _vulnerable(world: World, there: Supply) -> Advisory:
    record = _record(
        world, GHSA, QUICKYAML, [{"introduced": "2.0"}, {"fixed": "2.3.4"}], ["2.1.0", "2.2.0", "2.3.0", "2.3.1"], aliases=[CVE],
        summary="quickyaml builds arbitrary objects from a document", severity=[{"type": "CVSS_V3", "score": CRITICAL}],
    )  # fmt: skip
    return Advisory(record, QUICKYAML, ["2.1.0", "2.2.0", "2.3.0", "2.3.1"], epss=0.42)


def _malicious(world: World, there: Supply) -> Advisory:
    """A release of a taken-over package: our lockfile has taken it, and two machines have installed it, a moment before it was known."""
    now, version = world.clock.now(), "1.8.1"
    first = next(iter(world.state.fleet.services))
    there.locks[first][HTTPKIT] = version
    revision = deploy(world, first, actor="dependabot", what=f"bump {HTTPKIT} from 1.8.0 to {version}")
    there.artefacts[revision.digest] = Artefact(revision.digest, first, dict(there.locks[first]), direct=[QUICKYAML, HTTPKIT])
    there.hosts["builder-1"].releases.append("cli-5.2.1")
    there.installs += [
        Install("builder-1", HTTPKIT, version, now - 1500, True), Install("laptop-ravi", HTTPKIT, version, now - 900, True),
        Install("node-eu-1", HTTPKIT, version, now - 600, None),
    ]  # fmt: skip
    outbound(world.state).flows.append(Flow(Origin("builder-1", IOC, "fetch"), 4.0, now - 900))
    record = _record(
        world, MAL, HTTPKIT, [], [version], summary=f"Malicious code in {HTTPKIT} (PyPI)",
        database_specific={"iocs": {"domains": [IOC], "hashes": [sha256_of(HTTPKIT, version)]}},
    )  # fmt: skip
    return Advisory(record, HTTPKIT, [version], malicious=True, iocs=[IOC])


def _superseded(world: World, there: Supply) -> Advisory:
    """The version that was the fix is vulnerable itself."""
    record = _record(
        world, AGAIN, QUICKYAML, [{"introduced": "2.3.4"}, {"fixed": "2.3.5"}], ["2.3.4"], aliases=[CVE_AGAIN],
        summary="the fix of quickyaml is incomplete", severity=[{"type": "CVSS_V3", "score": HIGH}],
    )  # fmt: skip
    return Advisory(record, QUICKYAML, ["2.3.4"], epss=0.03)
