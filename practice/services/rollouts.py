"""The clusters' controllers: they bring about what deployments ask for, and keep clusters and the rest of the world in step.

A deployment of a service and its `Place` say the same: what is written to one is found in the other. Pods of a new template replace
the old ones within a few seconds, without a gap; those that cannot start never do, the old ones go on serving, and the deployment
says so once its deadline is over.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import Any

from practice.services.cluster import (
    REVISION,
    REVISION_HISTORY,
    SCHEMA,
    SECRET,
    Cluster,
    Rolling,
    app_container,
    deployment_manifest,
    number,
    plain,
    replica_set_manifest,
    template_of,
)
from practice.services.deployment import DeploymentInCluster, report
from practice.services.fleet import Revision, SideCar
from practice.services.fleet_cast import revision_name
from practice.world.state import State

JSON = dict[str, Any]

ROLLOUT_SECONDS = 6.0
"""So long (in world seconds) until all pods of a new template are ready, if they can start."""
LOOK_SECONDS = 3.0
"""In a world without a clock of its own, every look at a deployment that is under way brings it so much further."""
LATEST = {"LATEST": 1.0}
NOT_COPIED = (REVISION, REVISION_HISTORY, "kubectl.kubernetes.io/last-applied-configuration")


def reconcile(state: State, now: float) -> None:
    """Let every controller do its work."""
    for service in state.fleet.services.values():
        if service.platform == "kubernetes":
            for place in service.places.values():
                Controller(state.fleet, state.clusters.setdefault(place.region, Cluster(place.region)), service, place).work(now)


class Controller(DeploymentInCluster):
    """Brings about what one deployment asks for."""

    def work(self, now: float) -> None:
        """Take in what was changed elsewhere, go on with the rollout, and say how far it is."""
        if self.service.name not in self.cluster.deployments:
            self._found()
        elif not self.rolling.leaving and self.rolling.said == self._seen():
            return
        if self.place.replicas != self.deployment["spec"]["replicas"]:
            self._specify(replicas=self.place.replicas)
        if self.place.template != self.rolling.current and not self.deployment["spec"].get("paused"):
            self._deployed_elsewhere(now)
        if self.rolling.leaving and not self.deployment["spec"].get("paused"):
            self._go_on(now)
        report(self, now)
        self.rolling.said = self._seen()

    def _seen(self) -> tuple[object, ...]:
        """All that can give a controller something to do while no rollout is under way."""
        metadata, place = self.deployment["metadata"], self.place
        return (metadata["resourceVersion"], place.template, place.replicas, place.ready_replicas)

    def adopt(self, now: float) -> None:
        """The deployment's specification was written: let the world have it."""
        spec = self.deployment["spec"]
        self.place.generation = self.deployment["metadata"]["generation"]
        if spec["replicas"] != self.place.replicas:
            # The autoscaler keeps what the deployment asks for, within its own bound.
            self.place.replicas, self.place.least = spec["replicas"], min(spec["replicas"], self.place.most)
            self.place.ready_replicas = min(self.place.ready_replicas, self.place.replicas)
        if spec.get("paused") or spec["template"] == plain(self.current["spec"]["template"]):
            return
        alike = [one for one in self.cluster.owned(self.service.name) if plain(one["spec"]["template"]) == spec["template"]]
        self._roll_to(alike[-1]["metadata"]["name"] if alike else self._new_replica_set(spec["template"], now), now)

    # ---- rolling ----

    def _roll_to(self, name: str, now: float) -> None:
        """Begin to replace whatever serves by a replica set, which becomes the newest revision."""
        serving = self.service.serving(self.place.region)
        ready = round(serving.pop(name, 0.0) * self.place.ready_replicas)
        self.cluster.rolling[self.service.name] = Rolling(name, now, now, ready, leaving=serving)
        self._number(self.cluster.replica_sets[name])
        self.place.template = name
        self.place.history = [one for one in self.place.history if one != name] + [name]
        if serving:
            self._share()
        else:
            self._finish(now)

    def _number(self, replica_set: JSON) -> None:
        """Give a replica set the newest revision number, as the controller of Kubernetes does, and the deployment's annotations."""
        newest = max((number(one) for one in self.cluster.owned(self.service.name)), default=0)
        notes, own = replica_set["metadata"]["annotations"], self.deployment["metadata"].setdefault("annotations", {})
        notes |= {key: value for key, value in own.items() if key not in NOT_COPIED}
        if number(replica_set) < newest:
            was = [*filter(None, notes.get(REVISION_HISTORY, "").split(",")), notes[REVISION]]
            notes |= {REVISION: str(newest + 1), REVISION_HISTORY: ",".join(was)}
        own[REVISION] = notes[REVISION]
        self.cluster.touch(replica_set)
        self.cluster.touch(self.deployment)

    def _go_on(self, now: float) -> None:
        rolling, ready = self.rolling, self.place.ready_replicas
        if self.place.replicas == 0:
            self._finish(now)
        elif not self.why_not(rolling.current):
            passed = now - rolling.began + rolling.looks * LOOK_SECONDS
            reached = min(ready, math.floor(ready * passed / ROLLOUT_SECONDS + 1e-9))
            if reached > rolling.ready:
                rolling.ready, rolling.moved = reached, now
            if rolling.ready >= ready:
                self._finish(now)
            else:
                self._share()

    def _share(self) -> None:
        """Let the traffic go to the pods that are ready."""
        ready, left = self.place.ready_replicas, self.left()
        counts = {**left, self.rolling.current: self.rolling.ready}
        if ready:
            self.place.split = {name: count / ready for name, count in counts.items() if count}

    def _finish(self, now: float) -> None:
        self.rolling.leaving, self.rolling.moved = {}, now
        self.place.split = (
            dict(LATEST) if self.service.latest_ready(self.place.region) == self.rolling.current else {self.rolling.current: 1.0}
        )

    # ---- what others did ----

    def _found(self) -> None:
        """The cluster as it is when the world begins, with every revision that was ever deployed to it."""
        known = [self.service.revisions[name] for name in self.place.history or [self.place.template]]
        newest = self.service.revisions[self.place.template]
        self.cluster.rolling[self.service.name] = Rolling(newest.name)
        manifest = deployment_manifest(self.service, template_of(self.service, newest), self.place.replicas, self.place.generation)
        self.cluster.add(self.cluster.deployments, manifest, known[0].created)
        for revision in known:
            self._add(revision, revision.number)
        manifest["metadata"]["annotations"][REVISION] = str(number(self.current))

    def _deployed_elsewhere(self, now: float) -> None:
        """Another way than this cluster's API has put a template here: what can start has started, what cannot never will."""
        revision = self.service.revisions[self.place.template]
        if self.why_not(revision.name) and revision.name in self.service.serving(self.place.region):
            self.place.split = {self.rolling.current: 1.0}
        if revision.name not in self.cluster.replica_sets:
            newest = max(number(one) for one in self.cluster.owned(self.service.name))
            self._add(revision, max(newest + 1, revision.number))
        self._specify(template=plain(self.cluster.replica_sets[revision.name]["spec"]["template"]))
        self._roll_to(revision.name, now)
        if not self.why_not(revision.name):
            self._finish(now)

    def _add(self, revision: Revision, as_number: int) -> JSON:
        template = template_of(self.service, revision)
        manifest = replica_set_manifest(self.deployment, revision.name, template, as_number)
        self.cluster.add(self.cluster.replica_sets, manifest, revision.created)
        return manifest

    def _specify(self, **changed: Any) -> None:
        self.deployment["spec"] |= changed
        metadata = self.deployment["metadata"]
        metadata["generation"] = self.place.generation = max(self.place.generation, metadata["generation"] + 1)
        self.cluster.touch(self.deployment)

    def _new_replica_set(self, template: JSON, now: float) -> str:
        """A template that was never here: a new revision of the service, unless another region got it first."""
        owned = self.cluster.owned(self.service.name)
        revision = self._built(template, now)
        here = {one["metadata"]["name"] for one in owned}
        twin = next(
            (r for r in reversed(self.service.revisions.values()) if r.name not in here and r.content() == revision.content()), None
        )
        revision = twin or self.service.revisions.setdefault(revision.name, revision)
        manifest = replica_set_manifest(self.deployment, revision.name, template, 1 + max(map(number, owned), default=0))
        self.cluster.add(self.cluster.replica_sets, manifest, now)
        return revision.name

    def _built(self, template: JSON, now: float) -> Revision:
        """What a template describes. An image that no revision has is not in the registry."""
        app = app_container(template, self.service.name)
        image = str(app["image"])
        tag, _, digest = image.rpartition("/")[2].partition("@")
        tag = tag.partition(":")[2]
        known = [r for r in self.service.revisions.values() if r.digest == digest or (not digest and r.name == tag)]
        unknown = digest or f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
        notes = template.get("metadata", {}).get("annotations", {})
        count = self.service.newest().number + 1
        return replace(
            known[-1] if known else Revision("", count, unknown, now, image_present=False),
            name=revision_name(self.service.name, count),
            number=count,
            created=now,
            actor="kubernetes",
            green_minutes=0.0,
            secrets={key.removeprefix(SECRET): _whole(value, 0) for key, value in notes.items() if key.startswith(SECRET)},
            mounted={},
            side_cars=[SideCar(one["name"], one["image"].partition("@")[2]) for one in template["spec"]["containers"] if one is not app],
            schema_min=_whole(notes.get(f"{SCHEMA}min", ""), 1),
            schema_max=_whole(notes.get(f"{SCHEMA}max", ""), 9),
        )


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isdigit() else otherwise
