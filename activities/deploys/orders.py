"""The words of deploys: what is asked of a run platform, and what it says of itself (S-ROLLBACK, A.1 M3 and R3).

Shares are 0 to 1; the revision `LATEST` follows the newest one that is ready.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar, Literal, cast

from activities.action import Order, Value
from activities.kit.holding import Claim, Json
from activities.kit.words import shell, urls
from activities.organisation.catalogue import Deployed

LATEST = "LATEST"
Split = dict[str, float]  # revision or LATEST → share
Purpose = Literal["roll back", "restore", "return to latest", "canary"]


class RevisionsOf(Order):
    """Look at a service: its revisions, and what serves in every region."""

    service: Deployed

    def target(self) -> str:
        return f"service/{self.service.name}"

    def effect(self) -> str:
        return f"list the revisions of {self.service.name} and what serves in {listed(self.service.regions)}"

    def by_hand(self) -> tuple[str, ...]:
        """The same, with the vendor's tool."""
        s = self.service
        if s.platform == "kubernetes":
            return tuple(shell.kubectl(r, s.namespace, "rollout", "history", f"deployment/{s.name}") for r in s.regions)
        listing = ("run", "revisions", "list", f"--service={s.name}")
        return tuple(shell.gcloud(*listing, f"--region={r}", *_project(s)) for r in s.regions)


class Revision(Value):
    """One build of a service, as its platform knows it. What nobody knows is `None`."""

    id: str
    digest: str  # of the application's image, sha256:…; empty when unknown, or when regions differ
    created_at: datetime
    ready: bool  # in every region of the service
    images: tuple[str, ...] = ()  # digests of all its containers; an empty one is not known
    green_minutes: float | None = None  # how long it has served with errors inside the SLO
    secrets: tuple[str, ...] = ()  # NAME:version, of all its containers and volumes; `NAME:` where nobody can say which version
    disabled: tuple[str, ...] = ()  # those of them that the secret store gives to nobody any more
    schema_min: int | None = None
    schema_max: int | None = None
    image_present: bool | None = None
    dependencies: str = ""  # the digest of the set that it was built with; empty where it does not say


class Altered(Value):
    """What we wrote, as others made it on its way (an admission controller). It runs under another name than the revision that we meant."""

    revision: str  # that was meant
    key: str  # of our shift, for this region
    how: str  # what they added, removed and changed


class Serving(Value):
    split: Split  # in force
    latest: str  # the newest revision that is ready: what LATEST means here
    version: str  # etag or resourceVersion: a write is conditional on it
    settling: Split = {}  # the split that was accepted and is being brought about; empty when it is in force
    failed: str = ""  # why the platform gave up on bringing it about
    pins: bool = True  # false: the platform pins nothing, the next deploy serves at once whatever the split says
    altered: Altered | None = None

    @property
    def asked(self) -> Split:
        """The split that was asked for last, in force or not."""
        return self.settling or self.split

    def heads_for(self, wanted: Split, key: str = "") -> bool:
        """Whether this very split was asked for; by the shift with this key also if it was altered. Unpinned, `LATEST` is what serves anyhow."""
        ours = self.altered is not None and self.altered.key == key and same({self.altered.revision: 1.0}, wanted)
        return ours or same(self.asked, wanted) or (not self.pins and set(percents(wanted)) == {LATEST})

    def resolved(self, *, asked: bool = False) -> Split:
        """The split in force (or the one that was asked for) by revision, with LATEST named."""
        found: Split = {}
        for name, share in (self.asked if asked else self.split).items():
            revision = self.latest if name == LATEST else name
            found[revision] = found.get(revision, 0.0) + share
        return {name: share for name, share in found.items() if share > 0}


class Rollout(Value):
    """A service as it is rolled out."""

    service: str
    regions: dict[str, Serving]
    revisions: tuple[Revision, ...]  # newest first
    may_change: dict[str, bool] = {}  # region → whether we may; without one that could not be asked
    unread_secrets: tuple[str, ...] = ()  # of which the secret store did not say what is disabled

    def where_it_serves(self) -> "Rollout":
        """The same, without the regions in which nothing serves (it is scaled to zero there)."""
        return self.model_copy(update={"regions": {region: one for region, one in self.regions.items() if one.asked}})

    def revision(self, name: str) -> Revision | None:
        return next((one for one in self.revisions if one.id == name), None)

    def splits(self) -> dict[str, Split]:
        """What was asked for in every region: the `before` of a shift. A rollout that got stuck is left, and restored, as a whole."""
        return {region: serving.asked for region, serving in self.regions.items()}

    def versions(self) -> dict[str, str]:
        """The versions that were read: the `versions` of a shift."""
        return {region: serving.version for region, serving in self.regions.items()}


class ToRevision(Order):
    """Let a service serve by these splits. It names every region that it is for; on Kubernetes one revision takes all.

    `before` is what was asked for when it was decided: a region that shows anything else by now was changed by somebody else.
    `left_as`: what the shift that is to be undone has left there, where others altered it on its way.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"versions", "left_as"})

    service: Deployed
    split: dict[str, Split]  # region → wanted
    purpose: Purpose
    before: dict[str, Split]
    versions: dict[str, str] = {}
    left_as: dict[str, Split] = {}
    exemption: str = ""  # the permit of the change freeze under which it runs
    schema_crossing: bool = False  # a schema change lies between: hard to reverse
    over: tuple[str, ...] = ()  # other incidents that need it otherwise, and yield because a person decided it

    def target(self) -> str:
        return f"service/{self.service.name}"

    def workloads(self) -> tuple[str, ...]:
        return self.service.workloads()

    def effect(self) -> str:
        crossing = "; this crosses a change of the database schema" if self.schema_crossing else ""
        return f"{self.purpose}: {self.service.name} serves {everywhere(self.split)}{crossing}"

    def puts_back(self) -> bool:
        return self.purpose == "restore"

    def inverse(self) -> str:
        return f"let {self.service.name} serve {everywhere(self.before)} again"

    def by_hand(self) -> tuple[str, ...]:
        """The same, with the vendor's tool: one command per region."""
        return tuple(_shift_by_hand(self.service, region, wanted) for region, wanted in self.split.items())

    def claim(self) -> Claim:
        """That it serves like this; with the split from before, or following the latest again, nothing."""
        back = self.purpose == "restore" or (
            self.purpose == "return to latest" and all(set(percents(s)) == {LATEST} for s in self.split.values())
        )
        return Claim(need=None if back else {region: {**split} for region, split in self.split.items()}, says=self.effect())

    def agrees(self, need: Json) -> bool:
        """In every region of both the same."""
        return all(same(cast("Split", need[region]), split) for region, split in self.split.items() if region in need)

    def undo(self) -> "ToRevision":
        return self.model_copy(
            update={"split": self.before, "purpose": "restore", "before": self.split, "versions": {}, "left_as": {}, "over": ()}
        )


class ServedBy(Order):
    """Ask the data plane, from outside and in every region, which build answers. `also`: other names under which it runs."""

    service: Deployed
    revision: str
    also: tuple[str, ...] = ()
    samples: int  # per region

    def target(self) -> str:
        return f"service/{self.service.name}"

    def effect(self) -> str:
        return f"ask {self.service.name} {self.samples} times in {listed(self.service.regions)} whether {self.revision} answers"

    def by_hand(self) -> tuple[str, ...]:
        """The same, by curl: how often which revision answered."""
        url = shell.address(shell.Var("EDGE_URL"), urls.path(self.service.name, ""), f"?sample=[1-{self.samples}]")
        ask = ("curl", "-sS", "-o", "/dev/null", "-w", r"%header{x-revision}\n", "-H")
        count = (shell.command("sort"), shell.command("uniq", "-c"))
        return tuple(shell.pipe(shell.command(*ask, f"X-Region: {r}", url), *count) for r in self.service.regions)


class Sampled(Value):
    """What the data plane said. A region that gave no answer has answered 0 times, with a share of 0: that is no proof."""

    by_region: dict[str, float]  # region → share of the answers that came from the revision
    answered: dict[str, int]

    def everywhere(self, share: float, least: int) -> bool:
        """Whether in every region at least `least` answers came, and the share of the revision among them is that high."""
        return bool(self.by_region) and all(self.answered[r] >= least and found >= share for r, found in self.by_region.items())


def merged(by_region: Iterable[Iterable[Revision]]) -> tuple[Revision, ...]:
    """The revisions of all regions, newest first: each one is as good as where it is worst, and ready only if every region has it."""
    by_name: dict[str, list[Revision]] = {}
    regions = [*by_region]
    for one in chain.from_iterable(regions):
        by_name.setdefault(one.id, []).append(one)
    found = [_worst(each, len(regions)) for each in by_name.values()]
    return tuple(sorted(found, key=lambda one: (one.created_at, one.id), reverse=True))


def digest_of(container: Mapping[str, Any]) -> str:
    """Of a container's image; empty where it is not named by digest."""
    return str(container.get("image", "")).partition("@")[2]


def alike(secret: str) -> str:
    """A secret's name in one spelling: `DATABASE_URL` in the store is `database-url` in a cluster."""
    return secret.lower().replace("_", "-")


def _worst(found: list[Revision], regions: int) -> Revision:
    one, digests, images = found[0], {each.digest for each in found}, {each.image_present for each in found}
    lowest, highest = [each.schema_min for each in found], [each.schema_max for each in found]
    return one.model_copy(
        update={
            "created_at": min(each.created_at for each in found),
            "digest": one.digest if len(digests) == 1 else "",
            "dependencies": one.dependencies if len({each.dependencies for each in found}) == 1 else "",
            "ready": len(found) == regions and all(each.ready for each in found),
            "schema_min": None if None in lowest else max(filter(None, lowest), default=0),
            "schema_max": None if None in highest else min(filter(None, highest), default=0),
            "image_present": False if False in images else None if None in images else True,
            "images": tuple(sorted({image for each in found for image in each.images})),
            "secrets": tuple(sorted({secret for each in found for secret in each.secrets})),
            "disabled": tuple(sorted({secret for each in found for secret in each.disabled})),
        }
    )


# ---- shares ----


def percents(split: Split) -> dict[str, int]:
    """The shares as run platforms count them; without those that get nothing."""
    return {name: round(share * 100) for name, share in split.items() if round(share * 100)}


def same(one: Split, other: Split) -> bool:
    """Whether two splits send the same traffic by the same names: pinning a revision is not following the latest."""
    return percents(one) == percents(other)


def whole(split: Split) -> bool:
    """Whether the shares are whole percents that sum to 100."""
    found = percents(split)
    return sum(found.values()) == 100 and all(abs(share * 100 - found.get(name, 0)) < 1e-6 for name, share in split.items())


def in_words(split: Split) -> str:
    """A split as people read it: `api-00040 25 %, LATEST 75 %`."""
    return ", ".join(f"{name} {percent} %" for name, percent in percents(split).items()) or "nothing"


def everywhere(splits: Mapping[str, Split]) -> str:
    """Splits by region, with regions that serve the same said together."""
    groups: dict[str, list[str]] = {}
    for region, split in splits.items():
        groups.setdefault(in_words(split), []).append(region)
    return "; ".join(f"{shares} in {listed(regions)}" for shares, regions in groups.items()) or "nothing"


def listed(names: Iterable[str]) -> str:
    """Names as people list them: `eu-west and us-east`."""
    *first, last = [*names] or ["no region"]
    return f"{', '.join(first)} and {last}" if first else last


def _shift_by_hand(s: Deployed, region: str, split: Split) -> str:
    if s.platform == "kubernetes":
        return _roll_by_hand(s, region, split)
    wanted = percents(split)
    shares = ",".join(f"{name}={percent}" for name, percent in wanted.items())
    to = "--to-latest" if wanted == {LATEST: 100} else f"--to-revisions={shares}"
    return shell.gcloud("run", "services", "update-traffic", s.name, f"--region={region}", to, *_project(s))


def _roll_by_hand(s: Deployed, region: str, split: Split) -> str:
    """Never a bare undo, which goes to whatever was before. The number is looked up: every roll-back gives its replica set a new one."""
    name, deployment = max(split, key=lambda one: split[one], default=LATEST), f"deployment/{s.name}"
    if name == LATEST:
        return shell.kubectl(region, s.namespace, "rollout", "status", deployment)
    annotation = r"jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}"
    number = shell.keep("NUMBER", shell.kubectl(region, s.namespace, "get", f"replicaset/{name}", "-o", annotation))
    return shell.both(number, shell.kubectl(region, s.namespace, "rollout", "undo", deployment, ("--to-revision=", shell.Var("NUMBER"))))


def _project(s: Deployed) -> tuple[str, ...]:
    return (f"--project={s.project}",) if s.project else ()
