"""Versions of secrets that services are started with, pinned by number (spec §1 G9, §8 S-REDEPLOY)."""

import json

from activities.action import Order, Value
from activities.deploys.orders import alike, listed
from activities.kit.words import shell
from activities.organisation.catalogue import Deployed


class Pinned(Value):
    """What a service asks for in one region: `NAME:version` of each secret. `version`: of what was read, a write is conditional on it."""

    secrets: tuple[str, ...]
    version: str

    def of(self, secret: str) -> tuple[str, ...]:
        """The versions of one secret that are asked for; without any it does not use it."""
        return tuple(one.partition(":")[2] for one in self.secrets if alike(one.partition(":")[0]) == alike(secret))


class PinSecret(Order, target="service/{service.name}/secrets/{secret}"):
    """Start a service with another version of a secret, in every region; its image and everything else stay as they are. `version` 0: it is
    not made yet, which only a plan can say."""

    undone = "only while the old key is alive: start it with the version from before"

    service: Deployed
    secret: str
    version: int
    exemption: str = ""  # the permit of the change freeze under which it runs

    def workloads(self) -> tuple[str, ...]:
        return self.service.workloads()

    def effect(self) -> str:
        which = f"version {self.version}" if self.version else "the new version"
        return f"start {self.service.name} with {which} of {self.secret} in {listed(self.service.regions)}; nothing else changes"

    def by_hand(self) -> tuple[str, ...]:
        """The seed's own command, with a number instead of `latest`."""
        return tuple(self._by_hand(region) for region in self.service.regions)

    def _by_hand(self, region: str) -> str:
        of, project = self.service, (f"--project={self.service.project}",) if self.service.project else ()
        if of.platform == "kubernetes":
            template = {"metadata": {"annotations": {f"secrets.incident-playbooks/{self.secret}": str(self.version)}}, "spec": {"containers": [
                {"name": of.container or of.name, "env": [{"name": self.secret, "valueFrom": {"secretKeyRef": {
                    "name": self.secret.lower().replace("_", "-"), "key": str(self.version)}}}]}]}}  # fmt: skip
            patch = json.dumps({"spec": {"template": template}})
            return shell.kubectl(region, of.namespace, "patch", f"deployment/{of.name}", "-p", patch)
        update = (f"--update-secrets={self.secret}={self.secret}:", str(self.version) if self.version else shell.Var("VERSION"))
        return shell.gcloud("run", "services", "update", of.name, f"--region={region}", update, *project)
