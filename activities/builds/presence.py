"""Which of our builds have an affected version, told apart: present, loaded, reachable, exploited (A.12 T1).

Two scanners: the bill of material that the builder has signed, and a scan of the image's layers. Where they disagree it is there. Where one
of them cannot be believed, only the other one excludes nothing: then it is unknown, which counts as present.
"""

import asyncio
from collections.abc import Iterable

from activities.action import Call, NotYet, Refused, System, Value, action
from activities.advisories.ranges import affects, listed_in
from activities.advisories.seen import AffectedPackage
from activities.builds import sbom
from activities.builds.plane import SupplyLook, SupplyPlane
from activities.builds.sbom import BillOfMaterial, Part
from activities.kit.rest import Json
from activities.kit.words.urls import path

AT_ONCE = 8


class ArtefactsOf(
    SupplyLook, target="artefacts/{service}", effect="look by two scanners which builds of {service} have {named}",
    path="services/{service}/artefacts",
):  # fmt: skip
    """Every build that runs for a service, strays too. `blocked`: versions (`name==version`) that count whatever the advisory says by now."""

    service: str
    packages: tuple[AffectedPackage, ...]
    blocked: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        return ", ".join(dict.fromkeys(one.name for one in self.packages)) or "nothing"

    def effect(self) -> str:
        return f"look by two scanners which builds of {self.service} have {self.named}"


class Build(Value):
    """One build that runs. None: nobody knows. `versions`: of the packages, as they were found; `said`: gaps and disagreements."""

    digest: str
    revisions: tuple[str, ...]
    regions: tuple[str, ...]
    instances: int
    present: bool | None
    loaded: bool | None = None
    direct: bool | None = None
    versions: tuple[str, ...] = ()
    said: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """By both scanners, and by what its instances have loaded."""
        return self.present is False and self.loaded is False


class Presence(Value):
    """What runs of a service. `complete`: every place that runs its instances was asked."""

    service: str
    builds: tuple[Build, ...]
    complete: bool = True
    reachable: bool | None = None
    exploited: bool | None = None
    endpoint: str = ""
    flag: str = ""

    @property
    def affected(self) -> tuple[Build, ...]:
        """Unknown counts as present."""
        return tuple(one for one in self.builds if not one.clean)

    @property
    def surely(self) -> bool:
        return any(one.present for one in self.builds)

    @property
    def loaded(self) -> bool | None:
        return _worst(one.loaded for one in self.affected)

    @property
    def zero(self) -> bool:
        """Nothing affected runs, by digest and by what is loaded, and everything was asked."""
        return self.complete and bool(self.builds) and not self.affected

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(version for one in self.affected for version in one.versions))

    @property
    def gaps(self) -> tuple[str, ...]:
        told = [f"{one.digest[:19]}: {said}" for one in self.builds for said in one.said]
        return tuple(told if self.complete else ["not every place that runs instances was asked", *told])

    @property
    def summary(self) -> str:
        def word(answer: bool | None) -> str:
            return {True: "yes", False: "no", None: "unknown"}[answer]

        if not self.affected:
            return f"{self.service}: none of {len(self.builds)} builds that run has it" + ("" if self.complete else ", as far as was asked")
        many = sum(one.instances for one in self.affected)
        return (
            f"{self.service}: {len(self.affected)} of {len(self.builds)} builds that run ({many} instances): present "
            f"{word(True if self.surely else None)}, loaded {word(self.loaded)}, reachable {word(self.reachable)}, "
            f"exploited {word(self.exploited)}"
        )


class Builds(System):
    def __init__(self, plane: SupplyPlane) -> None:
        self._plane = plane

    @action("builds.survey")
    async def survey(self, order: ArtefactsOf, call: Call) -> Presence:
        """Build by build, by both scanners and by what its instances have loaded. One that cannot be scanned is unknown."""
        said = await self._plane.look(call, order)
        together = asyncio.Semaphore(AT_ONCE)

        async def one(artefact: Json) -> Build:
            async with together:
                return await self._build(call, order, artefact)

        builds = await asyncio.gather(*(one(artefact) for artefact in said["artefacts"]))
        reach = await self._reach(call, order)
        return Presence(service=order.service, builds=tuple(sorted(builds, key=lambda b: b.digest)), complete=said["complete"], **reach)

    async def scanned(self, call: Call, order: ArtefactsOf, digest: str) -> Build:
        """One build that need not run: by the bill of material and the scan of layers."""
        return await self._build(call, order, {"digest": digest, "revisions": (), "regions": (), "instances": 0})

    async def _build(self, call: Call, order: ArtefactsOf, artefact: Json) -> Build:
        digest = str(artefact["digest"])
        bill, (layers, no_layers), (loaded, no_loaded) = await asyncio.gather(
            self.bill(call, digest), self._scan(call, digest, "layers"), self._scan(call, digest, "runtime")
        )
        by_bill, by_layers = _hits(order, bill.parts), _hits(order, layers)
        answers = [_answer(by_bill, believed=bill.believed), _answer(by_layers, believed=not no_layers)]
        present = True if True in answers else (None if None in answers else False)
        running = _answer(_hits(order, loaded), believed=not no_loaded)
        differ = (
            "the scanners disagree: it counts as present" if set(answers) == {True, False} and not bill.why_not and not no_layers else ""
        )
        found = [*by_bill, *by_layers, *_hits(order, loaded)]
        return Build(
            digest=digest, revisions=tuple(artefact["revisions"]), regions=tuple(artefact["regions"]), instances=artefact["instances"],
            present=True if running else present, loaded=running, direct=_worst(part.direct for part, _ in by_bill) if by_bill else None,
            versions=tuple(dict.fromkeys(f"{part.name}=={part.version}" for part, _ in found)),
            said=tuple(filter(None, (bill.why_not, no_layers, no_loaded, differ))),
        )  # fmt: skip

    async def bill(self, call: Call, digest: str) -> BillOfMaterial:
        """What its builder says is in it."""
        try:
            said = await self._plane.get(call, path("v1", "artefacts", digest, "sbom"))
        except (Refused, NotYet) as no:
            return BillOfMaterial(why_not=f"there is no bill of material: {no.message[:80]}")
        except Exception as broke:
            return BillOfMaterial(why_not=f"no bill of material answers ({type(broke).__name__})")
        return sbom.read(said["document"], said["attestation"], digest)

    async def _scan(self, call: Call, digest: str, what: str) -> tuple[tuple[Part, ...], str]:
        """What a scan or the instances say, and why that is not everything."""
        try:
            said = await self._plane.get(call, path("v1", "artefacts", digest, what))
        except (Refused, NotYet) as no:
            return (), f"no {what} scan: {no.message[:80]}"
        except Exception as broke:
            return (), f"the {what} scan does not answer ({type(broke).__name__})"
        ecosystem = said.get("ecosystem", "PyPI")
        parts = tuple(Part(ecosystem=ecosystem, name=one["name"], version=one["version"]) for one in said["parts"])
        if what == "runtime":
            asked, answered = said["asked"], said["answered"]
            return parts, "" if asked and answered >= asked else f"{answered} of {asked} instances say what they have loaded"
        return parts, "" if said["complete"] and parts else "the scan of layers is not whole"

    async def _reach(self, call: Call, order: ArtefactsOf) -> Json:
        """Of several packages the worst counts."""
        found: Json = {"reachable": None, "exploited": None}
        for name in dict.fromkeys(one.name for one in order.packages):
            try:
                said = await self._plane.get(call, path("v1", "services", order.service, "reach"), package=name)
            except Exception:
                return {"reachable": None, "exploited": None}
            if found["reachable"] is None or said["reachable"] is not False:
                found = {key: said[key] for key in ("reachable", "exploited", "endpoint", "flag")}
        return found


def _hits(order: ArtefactsOf, parts: Iterable[Part]) -> list[tuple[Part, bool | None]]:
    """Parts that are affected, or of which nobody can say that they are not."""
    found = list[tuple[Part, bool | None]]()
    for part in parts:
        mine = [one for one in order.packages if (one.ecosystem, one.name) == (part.ecosystem, part.name)]
        answers: list[bool | None] = [affects(one, part.version) for one in mine]
        answers += [True] if listed_in(order.blocked, part.name, part.version) else []
        if True in answers or None in answers:
            found.append((part, _worst(answers)))
    return found


def _answer(hits: list[tuple[Part, bool | None]], *, believed: bool) -> bool | None:
    if any(affected for _, affected in hits):
        return True
    return None if hits or not believed else False


def _worst(answers: Iterable[bool | None]) -> bool | None:
    """Yes before unknown before no; of nothing nobody knows anything."""
    given = list(answers)
    return True if True in given else (None if None in given or not given else False)
