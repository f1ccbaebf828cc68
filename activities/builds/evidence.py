"""What is kept before anything is changed (A.12 M2, INV-1): the advisory, the bills of material, the installs and what can be read on hosts."""

import gzip
import json
from datetime import timedelta

from activities.action import Call, Effect, System, action
from activities.builds.plane import SupplyLook, SupplyPlane
from activities.evidence.store import EvidenceStore
from activities.kit.rest import Json
from activities.kit.words.shell import command, pipe
from activities.kit.words.urls import path
from activities.organisation.numbers import EvidenceHold


class SupplyExport(
    SupplyLook, target="evidence/supply/{advisory}", effect="keep as evidence what runs of {service}, its bills of material and the installs",
    path="services/{service}/artefacts",
):  # fmt: skip
    """`hosts`: that have installed it. Names of secrets are kept, never their values."""

    undone = "nothing to undo: it only reads; what is kept stays"

    service: str
    advisory: str
    hosts: tuple[str, ...] = ()
    incident_id: str
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        return (pipe(self.command(), command("tee", "supply.json"), command("sha256sum")),)


class SupplyEvidence(System):
    def __init__(self, plane: SupplyPlane, store: EvidenceStore) -> None:
        self._plane, self._store = plane, store

    @action("evidence.supply", writes=True)
    async def keep(self, order: SupplyExport, call: Call) -> Effect:
        """As it is now; kept once, and read back. What does not answer is kept as such."""
        running = await self._plane.look(call, order)
        said: Json = {"advisory": order.advisory, "artefacts": running}
        for one in running["artefacts"]:
            said[f"sbom/{one['digest']}"] = await self._if_there(call, path("v1", "artefacts", one["digest"], "sbom"))
        for host in order.hosts:
            said[f"host/{host}"] = await self._if_there(call, path("v1", "hosts", host))
        raw = gzip.compress(json.dumps(said, sort_keys=True).encode(), mtime=0)
        kept = await self._store.keep(call, f"supply/{order.service}", raw, held_until=call.at + order.held_for)
        return order.done(
            "the store shows what was written, with the same hash", kept.summary, adopted=kept.adopted,
            after={"builds": len(running["artefacts"]), "hosts": len(order.hosts), **kept.model_dump(mode="json", exclude={"adopted"})},
        )  # fmt: skip

    async def _if_there(self, call: Call, path: str) -> Json:
        try:
            return await self._plane.get(call, path)
        except Exception as broke:
            return {"not read": type(broke).__name__}
