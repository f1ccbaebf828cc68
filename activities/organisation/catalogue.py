"""Which services we may act on, and where each of them runs. Section `[services.<name>]`."""

from typing import Literal

from activities.action import Value


class Deployed(Value):
    """Where and how one service runs: what the deploy systems must be told to act on it. Section `[services.<name>]`."""

    name: str
    platform: Literal["cloud_run", "kubernetes"]
    regions: tuple[str, ...]  # Cloud Run locations, or the regions of the clusters
    project: str = ""  # Cloud Run: the Google Cloud project
    namespace: str = "default"  # Kubernetes
    container: str = ""  # the application's own, where side-cars stand beside it and neither ports (Cloud Run) nor its name tell
    repository: str = ""  # owner/name; a push to `branch` is deployed: what a change freeze locks
    branch: str = "main"

    def workloads(self) -> tuple[str, ...]:
        """What it is called where we must not touch our own (`Order.workloads`)."""
        return (self.name, f"{self.namespace}/{self.name}")


class Catalogue(Value):
    services: dict[str, Deployed] = {}


class Blocked(Value):
    """What must not run again. A list that nobody keeps is None: unknown, and not empty. Section `[blocked]`."""

    images: tuple[str, ...] | None = None  # digests, sha256:…
    dependencies: tuple[str, ...] | None = None  # digests of sets of dependencies: what a revision's annotation says it was built with
    secrets: tuple[str, ...] | None = None  # versions that are disabled, NAME:version

    def unkept(self) -> tuple[str, ...]:
        """The lists that nobody keeps, as people call them."""
        named = {"blocked images": self.images, "blocked dependencies": self.dependencies, "disabled secrets": self.secrets}
        return tuple(f"{name} ([blocked] {name.split()[1]})" for name, kept in named.items() if kept is None)
