"""The organisation's own decisions: its policy (every number the spec marks as a default) and its roster.

Policy is read once, by an incident's first recorded activity, and kept in its history. The roster is read when it is used:
authority comes from who holds a role *now*.
"""

import tomllib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, ValidationError, field_validator, model_validator

from activities.action import Call, Limits, Order, Patience, Refused, Risk, Role, System, Value, action
from activities.metrics.slo import SloPolicy
from activities.models.canary_core import CanaryPolicy
from activities.organisation import misread
from activities.texts import wording


def minutes(n: float) -> timedelta:
    """A duration, as the seed writes them."""
    return timedelta(minutes=n)


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


class Tries(Value):
    """The numbers behind a `Patience`: how long one try may take, how many there are, and the pauses between. Never scaled by the pace."""

    each_try: timedelta  # how long one try may take
    tries: int  # 0: without end
    first_pause: timedelta = seconds(0.2)  # also what passes between noticing a dead worker and trying elsewhere
    longest_pause: timedelta = seconds(15)
    heartbeat: timedelta = seconds(1.2)  # how soon a dead worker is noticed: recovery time is this and the pause


def _unless_never(said: Any) -> Any:
    if isinstance(said, list | tuple):
        return [_unless_never(one) for one in said]
    return None if said == "never" else said


class Rhythm(Value):
    """Who hears what, how often, at one severity (spec §6). `None`, in the file `"never"`: not at all."""

    @model_validator(mode="before")
    @classmethod
    def _never(cls, given: Any) -> Any:
        return {name: _unless_never(said) for name, said in given.items()} if isinstance(given, dict) else given

    first_public: timedelta | None  # by when the public reads the first word; never: not at all
    public: timedelta | None  # and how far apart updates are
    room: timedelta | None  # None: on change only
    reclassify: timedelta  # how often the severity is looked at again
    ladder: tuple[timedelta, ...]  # how long each rung waits: primary, deputy, duty executive (spec §2.5)
    acknowledge: timedelta  # how long a page waits before the next person is woken
    declare_within: timedelta  # from the alert to the declaration
    holding: timedelta | None  # when a first post nobody approved is replaced by the holding statement
    told: timedelta | None = None  # by when support and executives are told at all (spec §5, row 11)
    brief: timedelta | None = None  # the executives' first brief after that
    briefs: timedelta | None = None  # and how far apart the further ones are
    tenants: tuple[timedelta | None, timedelta | None] = (None, None)  # affected tenants, told directly: of the first tier, the others
    widened: timedelta | None = None  # how far apart public updates may be once the cause is known and stable


RHYTHMS = {
    1: Rhythm(first_public=minutes(10), public=minutes(30), room=minutes(15), reclassify=minutes(10),
              ladder=(minutes(5), minutes(5), minutes(5)), acknowledge=minutes(5), declare_within=minutes(2), holding=minutes(15),
              told=minutes(10), brief=minutes(30), briefs=minutes(60), tenants=(minutes(30), minutes(60)), widened=minutes(60)),
    2: Rhythm(first_public=minutes(15), public=minutes(30), room=minutes(30), reclassify=minutes(10),
              ladder=(minutes(10), minutes(10), minutes(15)), acknowledge=minutes(5), declare_within=minutes(2), holding=minutes(25),
              told=minutes(15), brief=minutes(60), briefs=minutes(60), tenants=(minutes(60), None), widened=minutes(60)),
    3: Rhythm(first_public=minutes(60), public=minutes(120), room=minutes(60), reclassify=minutes(30),
              ladder=(minutes(30), minutes(30), minutes(60)), acknowledge=minutes(15), declare_within=minutes(5), holding=None,
              brief=timedelta(days=1), briefs=timedelta(days=1), tenants=(timedelta(days=1), None),
              widened=minutes(240)),
    4: Rhythm(first_public=None, public=None, room=None, reclassify=minutes(60),
              ladder=(minutes(60), minutes(60), minutes(60)), acknowledge=minutes(60), declare_within=minutes(15), holding=None),
    5: Rhythm(first_public=None, public=None, room=None, reclassify=minutes(120),
              ladder=(minutes(60), minutes(60), minutes(60)), acknowledge=minutes(60), declare_within=minutes(15), holding=None),
}  # fmt: skip


APPROVAL_VALID = {Risk.C1: minutes(15), Risk.C2: minutes(15), Risk.C3: minutes(30)}
PATIENCE = {
    Patience.READ: Tries(each_try=seconds(8), tries=7, longest_pause=seconds(5)),
    Patience.CHANGE: Tries(each_try=seconds(10), tries=7, longest_pause=seconds(5)),
    Patience.ROLLOUT: Tries(each_try=seconds(100), tries=7, longest_pause=seconds(5)),
    Patience.WATCH: Tries(each_try=timedelta(hours=2), tries=9, heartbeat=seconds(2.5)),
    Patience.RECORD: Tries(each_try=seconds(8), tries=0, longest_pause=seconds(10)),
}


class Stability(Value):
    """The stability gate (spec §7.1)."""

    window: timedelta = minutes(60)  # so long it must be stable before it is closed
    slo_target: float = 0.999  # of requests that succeed
    above_baseline: float = 0.001  # so many more errors than usual are still stable
    latency_ratio: float = 1.2  # so much slower than usual is still stable
    longest_gap: timedelta = seconds(120)  # without data; a longer one is blind
    blind_page_after: timedelta = minutes(5)  # blind for so long pages


# Minutes after declaration at SEV-1, SEV-2, SEV-3 (spec §5). A severity that is left out has no deadline: it is people's to judge.
def _within(*at: float) -> dict[int, timedelta]:
    return {severity: minutes(each) for severity, each in enumerate(at, start=1)}


class FirstMinutes(Value):
    """By when each item of the first-15-minutes checklist is done, by severity (spec §5; the items: `workflows/first_minutes/checklist.py`).

    Policy time after the declaration. A severity that is not named has no deadline.
    """

    declare: dict[int, timedelta] = _within(1, 1, 5)
    commander: dict[int, timedelta] = _within(5, 5, 15)
    scribe: dict[int, timedelta] = _within(5, 10)
    cadence: dict[int, timedelta] = _within(2, 2, 5)
    freeze: dict[int, timedelta] = _within(2, 2)
    telemetry: dict[int, timedelta] = _within(5, 5, 15)
    evidence: dict[int, timedelta] = _within(5, 5, 10)
    blast_radius: dict[int, timedelta] = _within(10, 10, 30)
    playbook: dict[int, timedelta] = _within(10, 10, 30)
    war_room: dict[int, timedelta] = _within(3, 5, 15)
    leads: dict[int, timedelta] = _within(10, 15)
    status_page: dict[int, timedelta] = _within(5, 10)
    published: dict[int, timedelta] = _within(10, 15)
    told: dict[int, timedelta] = _within(10, 15)
    legal_clocks: dict[int, timedelta] = _within(10, 10, 30)
    checkpoint: dict[int, timedelta] = _within(15, 15, 30)

    def due(self, key: str, severity: int) -> timedelta | None:
        """The deadline of one item, policy time after the declaration; None when it has none at that severity."""
        deadlines: dict[int, timedelta] = getattr(self, key)
        return deadlines.get(severity)


class BackOff(Value):
    """How clients of a failing provider behave (spec §9.2 M1)."""

    max_attempts: int = 3  # of one call
    retry_budget: float = 0.10  # of all calls
    breaker_failure_ratio: float = 0.5  # from here on the breaker opens
    breaker_min_calls: int = 20  # of at least so many calls
    breaker_window_seconds: int = 30  # within so long


class ProviderOutage(Value):
    """The numbers of playbook 2.2 (spec §9.2)."""

    error_ratio: float = 0.05  # of a provider's calls: from here on it fails
    least_calls: int = 50  # fewer than these say nothing
    classified: float = 0.95  # of the errors must be understood
    log_window: timedelta = minutes(5)  # how far back calls are read
    probe_age: timedelta = seconds(120)  # an older probe is not believed
    headroom: float = 1.2  # what a stand-in must carry, as a multiple of the load
    ramp: tuple[float, ...] = (0.1, 0.5, 1.0)  # the shares in which traffic moves to the stand-in
    ramp_step: timedelta = minutes(2)  # how long each is watched
    served_share: float = 0.99  # of the calls must come from where they were sent
    healthy_for: timedelta = minutes(15)  # before anything returns to the primary
    healthy_error_ratio: float = 0.01  # and with no more errors than these
    longest_wait_for_primary: timedelta = timedelta(hours=12)  # then a person decides whether to stay
    flap_lock: timedelta = minutes(30)  # no return so soon after a move
    returns_apart: timedelta = minutes(60)  # one return attempt in so long
    rest_before_restoring: timedelta = minutes(15)  # on the primary, before features come back
    resting: timedelta = minutes(1)  # between two things that are put back
    quality_drop: float = 0.03  # of the evals: more is a veto
    cost_ratio: float = 1.3  # of the stand-in's cost: more is a veto
    back_off: BackOff = BackOff()
    canary: CanaryPolicy = CanaryPolicy()


class Freezing(Value):
    """The numbers of the change freeze (spec §7.2)."""

    exemption: timedelta = minutes(30)  # how long an exemption may be used, once
    exemption_look: timedelta = minutes(1)  # how often we look whether something came through an exemption, to close it behind
    ask_again: timedelta = timedelta(hours=24)  # a freeze this old is asked about, and then as often
    messages_per_run: int = 400  # a freeze may last for months: after so many messages its history begins anew


class ProductionOutage(Value):
    """The numbers of playbook 2.1 (spec §9.1)."""

    look_back: timedelta = timedelta(hours=24)  # how far changes are looked for
    unknown_after: timedelta = minutes(15)  # then the top-ranked change is rolled back all the same, if it may be
    writes_looked_at: timedelta = minutes(5)  # how often it is looked whether writes are still safe, while the impact lasts
    unknown_is_unsafe_after: timedelta = minutes(10)  # when nobody can say whether writes are safe (A.1 T4)
    improvement_within: timedelta = minutes(6)  # how long an action has to help before the cause is crossed out
    limit_share: float = 0.9  # of the capacity: what the gateway admits while load is shed
    scale_by: float = 1.5  # of the instances there are
    steady: timedelta = minutes(15)  # stable for so long before anything is put back (A.1 R2)
    resting: timedelta = minutes(10)  # between two things that are put back (spec §7.1)
    features: tuple[str, ...] = ("tools.high_psu", "batch.enabled", "scheduler.enabled")  # what is not essential, least first


class MitigationSettings(Value):
    """How far the mitigation of our own platform are moved, and what must be seen before they count as moved (spec §8, §9.1)."""

    vantages: tuple[str, ...] = ("ams", "fra", "iad", "sfo", "sin")  # the networks that we probe from
    least_vantages: int = 3  # so many must have got an answer before the map of health is believed
    around_onset: timedelta = minutes(30)  # how far from the first bad sample a change is suspected at all
    drain_at_most: float = 0.5  # of the capacity, by one drain
    drain_headroom: float = 1.3  # what the other regions must be able to serve, as a multiple of everything that is asked
    saturation: float = 0.8  # of a dependency: from here on scaling may only push the trouble further
    settled: timedelta = seconds(45)  # the window of metrics in which a change must show
    look_again: timedelta = seconds(15)  # when it does not show yet
    feed_intervals: int = 2  # without a new version a generator counts as paused
    regions_return: tuple[float, ...] = (0.1, 0.5, 1.0)  # of the way back to the weights before a drain
    writes_return: tuple[float, ...] = (0.01, 0.1, 1.0)  # of the writes
    return_pause: timedelta = minutes(2)  # how long each of these steps is watched
    limit_growth: float = 1.25  # a limit is loosened by so much at a time
    limit_steps: int = 4  # a limit is given back in so many
    limit_pause: timedelta = minutes(5)  # between two of them
    step_error_ratio: float = 0.01  # more errors than these after a step, beyond chance, and it is taken back


class RollBack(Value):
    """What a revision must show before a service may be rolled back to it, and afterwards (spec §8 S-ROLLBACK, §9.1, INV-5)."""

    green: timedelta = minutes(60)  # how long it has served with errors inside the SLO
    image_vouched_for: bool = True  # false: an image of which nobody knows whether it is still there is good enough
    attempts: int = 2  # after so many that did not help the cause is probably not the code
    freeze_within: timedelta = minutes(3)  # how long a rollback waits for the verified freeze before the commander decides (INV-4)
    proven_within: timedelta = minutes(10)  # how long it may take until it is seen to help
    served_share: float = 0.99  # of the answers must carry the wanted build
    samples: int = 60  # of the data plane, in every region
    least_answers: int = 30  # fewer than these say nothing
    look_again: timedelta = seconds(30)  # when it does not show yet
    improvement: float = 0.5  # by how much the share of failing requests must have dropped
    canary_steps: tuple[float, ...] = (0.01, 0.05, 0.25, 0.5, 1.0)  # of a fixed build that is to follow the pin
    canary_step: timedelta = minutes(10)  # how long each is watched
    canary_more_errors: float = 0.01  # than the service may have, and it is put back


class Standing(Value):
    """A signed standing authorisation for one verb (spec §2.5.6): two people, an expiry, and why."""

    signed_by: tuple[str, str]
    expires_at: datetime
    why: str


class Policy(Value):
    """Every default of the spec, as a setting. Durations are policy time; `pace` says how many policy seconds pass in a real one."""

    pace: float = Field(default=1.0, gt=0)  # policy seconds per real second; only drills change it
    least_wait_for_people: timedelta = timedelta(0)  # real time: a person's wait is never scaled below this
    mode: Literal["shadow", "live"] = (
        "shadow"  # shadow: real alerts and reads; no writes, posts or pages (the first week of an installation)
    )
    write_access: tuple[str, ...] = ()  # the systems that may be written to in shadow mode: flags, models, pager, war_room, …
    systems: dict[str, str] = {}  # which client a system uses, where there are several: flags is "unleash" or "flagd"
    observe_only: bool = False  # true: look, page, post; change nothing
    verified_from: Risk = Risk.C2  # from this class on an answer must be verified (design §4, Who answered)
    approval_valid: dict[Risk, timedelta] = APPROVAL_VALID  # how long a yes may be used, by class
    repage: timedelta = minutes(5)  # how often people are paged again about a question that holds
    commander_silent: timedelta = minutes(20)  # a commander silent for so long with open decisions: command is offered to the deputy
    second_person: timedelta = minutes(5)  # how long a second person is waited for when somebody is alone with a C3 decision
    break_glass: bool = False  # whether one person alone may decide C3 after that, with a typed reason and a review afterwards
    widen_after: timedelta = minutes(120)  # from when on the commander may widen the public cadence
    room_settles: timedelta = minutes(1)  # what changes within so long is told to the war room in one go
    rota_fresh: timedelta = minutes(1)  # how old the rota may be when people are told something
    rhythms: dict[int, Rhythm] = RHYTHMS
    limits: Limits = Limits()
    stability: Stability = Stability()
    return_steps: tuple[float, ...] = (0.1, 0.5, 1.0)  # tenants and traffic come back in these shares (INV-19)
    first_minutes: FirstMinutes = FirstMinutes()
    country: str = ""  # whose public holidays count in business days: `US`, `IE`, `DE-BE`, `GB-ENG`; empty: weekends only
    post_mortem_days: int = Field(default=5, ge=1)  # business days after it was resolved (seed §4.2)
    mitigated_window: timedelta = minutes(2)  # the impact has ended when it ended for so long
    mitigated_within: timedelta = minutes(10)  # after so long a person is asked how to go on
    mitigated_error_ratio: float = 0.01  # of requests: up to here there is no impact
    provider_outage: ProviderOutage = ProviderOutage()
    freeze: Freezing = Freezing()
    production_outage: ProductionOutage = ProductionOutage()
    mitigation: MitigationSettings = MitigationSettings()
    roll_back: RollBack = RollBack()
    slo: SloPolicy = SloPolicy()
    standing: dict[str, Standing] = {}
    holding_statement: bool = True  # published when nobody in Comms answers (needs a standing authorisation)
    plan_ahead: bool = True  # rehearse beside an incident, so that the rest can be printed and done by hand when nothing of ours runs
    patience: dict[Patience, Tries] = PATIENCE

    @field_validator("patience")
    @classmethod
    def _with_defaults(cls, given: dict[Patience, Tries]) -> dict[Patience, Tries]:
        return {**PATIENCE, **given}

    @field_validator("rhythms", mode="before")
    @classmethod
    def _on_top(cls, given: Any) -> Any:
        """A severity, or a key of one, that is not named keeps the spec's."""
        if not isinstance(given, dict):
            return given
        ours = {str(severity): told for severity, told in given.items()}
        standard = {str(severity): rhythm.model_dump() for severity, rhythm in RHYTHMS.items()}
        return {s: {**standard.get(s, {}), **told} if isinstance(told, dict) else told for s, told in {**standard, **ours}.items()}

    @field_validator("approval_valid")
    @classmethod
    def _for_every_class(cls, given: dict[Risk, timedelta]) -> dict[Risk, timedelta]:
        return {**APPROVAL_VALID, **given}

    @property
    def may_write_to(self) -> tuple[str, ...] | None:
        """The systems that may be written to; None: all."""
        return self.write_access if self.mode == "shadow" else None

    def paced(self, duration: timedelta) -> timedelta:
        """A policy duration in real time."""
        return duration / self.pace

    def for_people(self, duration: timedelta) -> timedelta:
        """A wait for a person in real time: scaled, but never below what a person needs."""
        return max(duration / self.pace, self.least_wait_for_people)

    def rhythm(self, severity: int) -> Rhythm:
        """Cadence, ladders and deadlines at one severity."""
        return self.rhythms[severity]

    def stood(self, verb: str, at: datetime) -> Standing | None:
        """The standing authorisation for a verb, if it is valid now."""
        signed = self.standing.get(verb)
        return signed if signed and signed.expires_at > at and len(set(signed.signed_by)) == 2 else None


class Person(Value):
    """Somebody who can be paged, asked and held to an answer."""

    id: str
    name: str
    roles: tuple[Role, ...]
    email: str = ""
    slack: str = ""
    pager: str = ""
    country: str = ""  # whose public holidays they keep; empty: the policy's


class Roster(Value):
    """Who holds which role now. The first named for a role is its primary."""

    people: dict[str, Person] = {}

    def holders(self, roles: Iterable[Role]) -> tuple[Person, ...]:
        """Everybody who holds one of the roles, primaries first."""
        wanted = tuple(roles)
        return tuple(p for role in wanted for p in self.people.values() if role in p.roles and _first(p, wanted) is role)

    def person(self, who: str) -> Person | None:
        """The person called so, by id or by name, whatever the capitals."""
        return next((p for p in self.people.values() if who.casefold() in (p.id.casefold(), p.name.casefold())), None)


def _first(person: Person, wanted: tuple[Role, ...]) -> Role:
    return next(role for role in wanted if role in person.roles)


class Deployed(Value):
    """Where and how one service runs: what the deploy systems must be told to act on it. Section `[services.<name>]`."""

    name: str
    platform: Literal["cloud_run", "kubernetes"]
    regions: tuple[str, ...]  # Cloud Run locations, or the regions of the clusters
    project: str = ""  # Cloud Run: the Google Cloud project
    namespace: str = "default"  # Kubernetes
    repository: str = ""  # owner/name; a push to `branch` is deployed: what a change freeze locks
    branch: str = "main"

    def workloads(self) -> tuple[str, ...]:
        """What it is called where we must not touch our own (`Order.workloads`)."""
        return (self.name, f"{self.namespace}/{self.name}")


def _as_links(given: object) -> object:
    """A list of addresses takes their own words for names."""
    return {str(link): link for link in given} if isinstance(given, list | tuple) else given


Link = Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"]{1,300}$")]
NamedLinks = Annotated[dict[str, Link], BeforeValidator(_as_links)]


# The seed's six (§3), and the words by which a link is known to be one of them.
DASHBOARDS = {
    "latency": ("latency",), "error rate": ("error",), "availability": ("availability", "uptime"), "token usage": ("token",),
    "cost per request": ("cost",), "model quality": ("quality", "eval"),
}  # fmt: skip


class Links(Value):
    """Where people look and meet. Section `[links]`; `runbooks` are named by a playbook's section, or `all`."""

    bridge: Link | Literal[""] = ""
    bridge_number: str = Field(default="", max_length=60)  # what is dialled where chat is down: it stands in the page's text
    status_page: Link | Literal[""] = ""  # the address that customers know
    rota: Link | Literal[""] = ""
    dashboards: NamedLinks = {}
    runbooks: NamedLinks = {}

    def missing_dashboards(self) -> tuple[str, ...]:
        """Which of the seed's six nobody has linked; a link is known by its name."""
        names = " ".join(self.dashboards).casefold()
        return tuple(wanted for wanted, words in DASHBOARDS.items() if not any(word in names for word in words))

    def runbooks_of(self, section: str) -> tuple[str, ...]:
        """The runbooks for one playbook, and those for all."""
        return tuple(f"{name}: {link}" for name, link in self.runbooks.items() if name in (section, f"§{section}", "all", link))


class Contacts(Value):
    """Who hears of an incident beside those who work on it. Section `[contacts]`; channels are Slack's, without the #."""

    support_channel: str = ""
    executives_channel: str = ""
    customers: tuple[str, ...] = ()  # who writes to customers (seed §5), as Comms knows them
    legal: tuple[str, ...] = ()  # whom to ask about breaches (seed §5)


class Communications(Value):
    """How this organisation speaks: its links, its contacts, its own words instead of the standard ones."""

    links: Links = Links()
    contacts: Contacts = Contacts()
    templates: dict[str, str] = {}  # name without version → its text, e.g. `identified`; whether it may be said: `wording.unfit`

    def own(self, template: str) -> str:
        """The organisation's own text for a template such as `identified@1`; empty where the standard one holds."""
        return self.templates.get(template.partition("@")[0], "")


class Catalogue(Value):
    """Every service that we may act on."""

    services: dict[str, Deployed] = {}


class _OnCall(Value):
    """Section `[oncall]`: role → escalation policy."""

    oncall: dict[Role, str] = {}


# Everything that the file may hold. The model is what a stray key is looked up in; tables of names have none.
SECTIONS: dict[str, type[BaseModel] | None] = {
    "policy": Policy, "people": None, "services": None, "links": Links, "contacts": Contacts, "oncall": None, "templates": None,
}  # fmt: skip


class ReadAll(Order):
    """All of it: these verbs take no parameter."""

    def target(self) -> str:
        return "organisation"

    def effect(self) -> str:
        return "read the organisation's policy and roster"


class Organisation(System):
    """Reads `organisation.toml`: `[policy]`, `[people.<id>]`, `[services.<name>]`, `[links]`, `[contacts]`, `[oncall]`, `[templates]`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @action("organisation.policy")
    async def policy(self, order: ReadAll, call: Call) -> Policy:
        """The policy in force; missing keys take the spec's defaults."""
        return self.read_policy()

    @action("organisation.roster")
    async def roster(self, order: ReadAll, call: Call) -> Roster:
        """Who holds which role now."""
        return self.read_roster()

    @action("organisation.catalogue")
    async def catalogue(self, order: ReadAll, call: Call) -> Catalogue:
        """Which services there are, and where they run."""
        return self.read_catalogue()

    @action("organisation.communications")
    async def communications(self, order: ReadAll, call: Call) -> Communications:
        """How this organisation speaks: links, contacts, its own words."""
        return self.read_communications()

    def read_communications(self) -> Communications:
        """The same, outside an activity. Raises `Refused` with the key at fault and the fix."""
        table = self._table()
        named = {name: table[name] for name in ("links", "contacts", "templates") if name in table}
        try:
            said = Communications.model_validate(named)
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, Communications)) from None
        for name, text in said.templates.items():
            if why := wording.unfit(name, text):
                raise Refused(f"{self.path}: templates.{name}: {why}")
        return said

    def read_on_call(self) -> dict[Role, str]:
        """PagerDuty's escalation policy for each role that has one. Raises `Refused` with the key at fault and the fix."""
        try:
            return _OnCall.model_validate({"oncall": self._table().get("oncall", {})}).oncall
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, _OnCall)) from None

    def read_catalogue(self) -> Catalogue:
        """The same, outside an activity. Raises `Refused` with the key at fault and the fix."""
        named = self._table().get("services", {})
        try:
            return Catalogue.model_validate({"services": {k: {"name": k, **_as_table(v)} for k, v in named.items()}})
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, Catalogue)) from None

    def read_policy(self) -> Policy:
        """The same, outside an activity. Raises `Refused` with the key at fault and the fix."""
        try:
            return Policy.model_validate(self._table().get("policy", {}))
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, Policy, "policy")) from None

    def read_roster(self) -> Roster:
        """The same, outside an activity. Raises `Refused` with the key at fault and the fix."""
        named = self._table().get("people", {})
        try:
            return Roster.model_validate({"people": {k: {"id": k, "name": k.title(), **_as_table(v)} for k, v in named.items()}})
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, Roster)) from None

    def _table(self) -> dict[str, Any]:
        try:
            table = tomllib.loads(self.path.read_text())
        except FileNotFoundError:
            raise Refused(f"{self.path} does not exist; copy organisation.example.toml there and fill it in") from None
        except tomllib.TOMLDecodeError as wrong:
            raise Refused(f"{self.path} is not valid TOML: {wrong}") from None
        for name, section in table.items():
            if name not in SECTIONS:
                raise Refused(f"{self.path}: {misread.unknown_section(name, SECTIONS)}")
            if not isinstance(section, dict):
                raise Refused(f"{self.path}: [{name}] is a section, not a value: write [{name}] and its keys below. {misread.EXAMPLE}")
        return table

    def read_whole(self) -> None:
        """Read every section once. Raises `Refused` with the first key at fault and the fix."""
        for read in (self.read_policy, self.read_roster, self.read_catalogue, self.read_communications, self.read_on_call):
            read()

    def _explain(self, wrong: ValidationError, model: type[BaseModel], section: str = "") -> str:
        return f"{self.path}: {misread.explain(wrong, model, section)}"


def _as_table(given: Any) -> dict[str, Any]:
    """A section's table; anything else is left to the model to refuse."""
    return given if isinstance(given, dict) else {"": given}
