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
