"""How a domain is served: from the cache or not, under which version of its keys, withdrawn or with a banner (A.11 M2, M4, step 7)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Self

from activities.action import Call, Limits, Refused, Risk, Role
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.setting.orders import Resource
from activities.kit.words.urls import path
from activities.organisation.numbers import CachePoisoning, MitigationSettings
from activities.retriever.plane import DomainResource, DomainSetting, Known

WHO = (Role.AI_ML_LEAD, Role.OPS_LEAD, Role.INCIDENT_COMMANDER)


class CagOf(DomainResource, path="domains/{domain}/cag", called="the cache of answers (CAG) of {domain}"):
    pass


class Cag(SettingValue, says="{share:.0%} of its questions", effect="let the cache answer {share:.0%} of the questions of {of.domain}"):
    """Which share of the questions may be answered from the cache. `canary`, `watched`: how it comes back; while `correct` of `least` are right."""

    volatile: ClassVar[frozenset[str]] = frozenset({"canary", "watched", "least", "correct"})
    _back = "let the cache of {of.domain} answer {self} again"

    share: float
    canary: tuple[float, ...] = CachePoisoning().canary
    watched: timedelta = CachePoisoning().canary_step
    least: int = CachePoisoning().least_answers
    correct: float = CachePoisoning().correct

    @property
    def felt(self) -> bool:
        return False  # answers are as good, and take longer

    def same(self, other: Self) -> bool:
        return abs(self.share - other.share) < 1e-9

    def met(self, now: Self) -> bool:
        return now.share <= self.share + 1e-9

    def both(self, other: Self) -> Self | None:
        return self if self.share <= other.share else other

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """A share at a time (S-CANARY): what was wrong may be wrong again."""
        steps = [before.share * share for share in self.canary if before.share * share > self.share]
        return tuple(self.model_copy(update={"share": share}) for share in dict.fromkeys(steps)) or (before,)

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return self.watched


def _cag_risk(order: Change[CagOf, Cag] | Restore[CagOf, Cag], limits: Limits) -> Risk:
    return Risk.C1 if isinstance(order, Change) and order.wanted.share == 0 else Risk.C2


class CagShares(
    DomainSetting, RestSetting[CagOf, Cag], read="retriever.cag", change="retriever.cag_off", restore="retriever.cag_on", risk=_cag_risk,
    restore_risk=Risk.C2, asks=WHO, watched=True, contains=True,
):  # fmt: skip
    """Whether the cache answers, domain by domain. It comes back a share at a time, while answers are right."""

    async def trouble(self, call: Call, order: Restore[CagOf, Cag], step: Cag) -> str:
        """What the judge says of the answers since the step; with too few of them it is waited for no longer, and the curve decides."""
        said = await self.rest.get(call, path("v1", "domains", order.of.domain, "answers"), limit=50)
        since = call.at - order.pause / call.pace
        lately = [one for one in said["answers"] if datetime.fromisoformat(one["at"]) > since]
        wrong = [one for one in lately if one["judged"] != "right"]
        enough = len(lately) >= step.least and len(wrong) > (1 - step.correct) * len(lately)
        return f"{len(wrong)} of {len(lately)} answers about {order.of.domain} are wrong" if enough else ""

    def otherwise(self, value: Cag, known: Known) -> str:
        return "answers from the cache" if value.share == 0 and known["answers"] == "cache" else ""


class NamespaceOf(DomainResource, path="domains/{domain}/namespace", called="the namespace of the cache of {domain}"):
    pass


class Namespace(SettingValue, says="version {version}", effect="give the keys of {of.domain} version {version}: nothing older is found"):
    """The version in the keys of a domain."""

    version: int

    def back(self, of: Resource) -> str:
        return f"find what was cached under version {self.version} again"


class Namespaces(
    DomainSetting, RestSetting[NamespaceOf, Namespace], read="retriever.namespace", change="retriever.bump_namespace",
    restore="retriever.bump_back", risk=Risk.C1, restore_risk=Risk.C2, asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """Versions of keys. Going back finds again what was cached before: only while that is not poisoned."""

    def otherwise(self, value: Namespace, known: Known) -> str:
        return f"uses version {known['namespace']}" if known["namespace"] != value.version else ""


class CoalescingOf(DomainResource, path="domains/{domain}/coalescing", called="request coalescing of {domain}"):
    pass


class Coalescing(SettingValue):
    """Whether questions for the same missing entry wait for one answer, and for how long at most (seconds)."""

    on: bool
    wait_seconds: float = 5.0

    def __str__(self) -> str:
        return f"on, for up to {self.wait_seconds:g} s" if self.on else "off"

    def effect(self, of: Any) -> str:
        return f"switch {of} {self}, so that misses do not storm the origin"


class Coalescings(
    DomainSetting, RestSetting[CoalescingOf, Coalescing], read="retriever.coalescing", change="retriever.coalesce",
    restore="retriever.coalesce_back", risk=Risk.C1, asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Request coalescing."""

    def otherwise(self, value: Coalescing, known: Known) -> str:
        return f"has it {'on' if known['coalescing'] else 'off'}" if known["coalescing"] != value.on else ""


class ServingOf(DomainResource, path="domains/{domain}/serving", called="how {domain} is served"):
    pass


class Serving(SettingValue):
    """`answering`, `stale_ok` (old answers while the origin is busy), `withdrawn` ("unavailable"); and a banner with every answer."""

    mode: Literal["answering", "stale_ok", "withdrawn"] = "answering"
    banner: str = ""

    def __str__(self) -> str:
        return {"answering": "answered", "stale_ok": "answered, if need be by old answers", "withdrawn": "unavailable"}[self.mode] + (
            ", with a banner" if self.banner else ""
        )

    @property
    def felt(self) -> bool:
        return self.mode == "withdrawn"


def _serving_risk(order: Change[ServingOf, Serving] | Restore[ServingOf, Serving], limits: Limits) -> Risk:
    """Taking a domain away from everybody is broad; a banner is not."""
    return Risk.C2 if isinstance(order, Restore) or order.wanted.mode == "withdrawn" else Risk.C1


class Servings(
    DomainSetting, RestSetting[ServingOf, Serving], read="retriever.serving", change="retriever.withdraw", restore="retriever.serve_again",
    risk=_serving_risk, asks=WHO, contains=True,
):  # fmt: skip
    """How domains are served."""

    def otherwise(self, value: Serving, known: Known) -> str:
        wrong = (known["answers"] == "unavailable") != (value.mode == "withdrawn") or known["banner"] != value.banner
        return f"answers from: {known['answers']}" if wrong else ""

    async def check(self, call: Call, order: Change[ServingOf, Serving] | Restore[ServingOf, Serving], to: Serving) -> None:
        if to.mode == "withdrawn" and not to.banner:
            raise Refused("a domain that is withdrawn says so: give the banner")


class FreshnessOf(DomainResource, path="domains/{domain}/freshness", called="how fresh {domain} must be"):
    pass


class Freshness(SettingValue):
    """How old sources may be (seconds), and whether answers carry the date of what they cite."""

    max_age_seconds: float
    as_of: bool

    def __str__(self) -> str:
        return f"sources no older than {self.max_age_seconds / 60:g} min" + (", answers with their date" if self.as_of else "")

    def met(self, now: Self) -> bool:
        return now.max_age_seconds <= self.max_age_seconds and now.as_of >= self.as_of

    def both(self, other: Self) -> Self | None:
        strict = min(self.max_age_seconds, other.max_age_seconds)
        return self.model_copy(update={"max_age_seconds": strict, "as_of": self.as_of or other.as_of})


class Freshnesses(
    DomainSetting, RestSetting[FreshnessOf, Freshness], read="retriever.freshness", change="retriever.check_freshness",
    restore="retriever.freshness_back", risk=Risk.C1, asks=WHO,
):  # fmt: skip
    """Freshness checks."""

    def otherwise(self, value: Freshness, known: Known) -> str:
        return "answers without a date" if value.as_of and not known["as_of"] else ""


CAG_OFF = CagShares.measure("cache off")
COALESCED = Coalescings.measure("coalesced")
BUMPED = Namespaces.measure("namespace bumped", own_end=True)
WITHDRAWN = Servings.measure("served otherwise")
FRESHENED = Freshnesses.measure("fresher")


def cag_off(domain: str, numbers: CachePoisoning, why: str = "") -> Change[CagOf, Cag]:
    told = {"canary": numbers.canary, "watched": numbers.canary_step, "least": numbers.least_answers, "correct": numbers.correct}
    return CagShares.order(CagOf(domain=domain), Cag.model_validate({"share": 0.0, **told}), why=why)


def fresher(domain: str, now: Reading[Freshness], share: float) -> Change[FreshnessOf, Freshness]:
    """This share of the age that was allowed, and answers with their date."""
    wanted = Freshness(max_age_seconds=now.value.max_age_seconds * share, as_of=True)
    return Freshnesses.order(FreshnessOf(domain=domain), wanted)


def bump(domain: str, now: Reading[Namespace], why: str = "") -> Change[NamespaceOf, Namespace]:
    """One version on from what was read."""
    return Namespaces.order(NamespaceOf(domain=domain), Namespace(version=now.value.version + 1), why=why).given(now)


def coalesce(domain: str) -> Change[CoalescingOf, Coalescing]:
    return Coalescings.order(CoalescingOf(domain=domain), Coalescing(on=True))


def withdraw(domain: str, banner: str, why: str = "") -> Change[ServingOf, Serving]:
    return Servings.order(ServingOf(domain=domain), Serving(mode="withdrawn", banner=banner), why=why)


def banner(domain: str, text: str, why: str = "") -> Change[ServingOf, Serving]:
    return Servings.order(ServingOf(domain=domain), Serving(banner=text), why=why)


def serve_stale(domain: str, why: str = "") -> Change[ServingOf, Serving]:
    return Servings.order(ServingOf(domain=domain), Serving(mode="stale_ok"), why=why)
