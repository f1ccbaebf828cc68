"""The organisation's policy: every number that the spec marks as a default. Read once per incident and kept in its history."""

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from activities.action import Limits, Patience, Risk, Value
from activities.advisories.numbers import SupplyChain
from activities.breach.numbers import DataBreach
from activities.credentials.numbers import SecretCompromise
from activities.metrics.slo import SloPolicy
from activities.organisation.database_numbers import DatabaseFailover
from activities.organisation.numbers import (
    AlertIntake,
    CachePoisoning,
    CostRunaway,
    CurveNumbers,
    EvidenceHold,
    EvidenceNumbers,
    Freezing,
    HuntNumbers,
    Impact,
    LoopNumbers,
    MailNumbers,
    MitigationSettings,
    ModelDrift,
    ProductionOutage,
    PromptInjection,
    ProviderOutage,
    RollBack,
    SeverityPolicy,
    Stability,
    TenantIsolation,
)
from activities.organisation.rhythm import APPROVAL_VALID, PATIENCE, RHYTHMS, FirstMinutesDeadlines, Rhythm, Tries, minutes, seconds
from activities.queues.numbers import QueueBacklog
from activities.sign_in.numbers import SignInNumbers
from activities.waf.numbers import EdgeNumbers


class StandingAuthorisation(Value):
    """The text of a standing policy for one verb (spec §2.5.6). It counts when two people have signed it: `incident policy sign`."""

    expires_at: datetime
    why: str


class Policy(Value):
    """Every default of the spec, as a setting. Durations are policy time; `pace` says how many policy seconds pass in a real one."""

    pace: float = Field(default=1.0, gt=0)  # policy seconds per real second; only drills change it
    paces: dict[str, float] = {}  # another pace in a phase, by its name; only drills have them
    long_wait_pace: float = Field(default=0.0, ge=0)  # while something is waited for that takes longer than long_wait; 0: the phase's
    long_wait: timedelta = timedelta(hours=6)  # as above
    least_wait_for_people: timedelta = timedelta(0)  # real time: a person's wait is never scaled below this
    mode: Literal["shadow", "live"] = (
        "shadow"  # shadow: real alerts and reads; no writes, posts or pages (the first week of an installation)
    )
    write_access: tuple[str, ...] = ()  # the systems that may be written to in shadow mode: flags, models, pager, war_room, …
    systems: dict[str, str] = {}  # which client a system uses, where there are several: flags is "unleash" or "flagd"
    observe_only: bool = False  # true: look, page, post; change nothing
    verified_from: Risk = Risk.C2  # from this class on an answer, or a command, must be verified (design §4, Who answered)
    command_code_valid: timedelta = minutes(15)  # how long a code for commands is good
    command_code_again: timedelta = minutes(1)  # how soon it is sent to the same person again
    approval_valid: dict[Risk, timedelta] = APPROVAL_VALID  # how long a yes may be used, by class
    repage: timedelta = minutes(5)  # how often people are paged again about a question that holds
    keep_waiting: timedelta = minutes(30)  # for so long nobody is paged about a question that somebody wants to wait
    commander_silent: timedelta = minutes(20)  # a commander silent for so long with open decisions: command is offered to the deputy
    second_person: timedelta = minutes(5)  # how long a second person is waited for when somebody is alone with a C3 decision
    break_glass: bool = False  # whether one person alone may decide C3 after that, with a typed reason and a review afterwards
    widen_after: timedelta = minutes(120)  # from when on the commander may widen the public cadence
    failed_request_cents: float = Field(default=0.0, ge=0)  # US cents that a failed request costs us; 0: not known, and not shown
    room_settles: timedelta = minutes(1)  # what changes within so long is told to the war room in one go
    record_within: timedelta = seconds(3)  # how old a screen may be while something is going on; it is exact when the incident rests
    rota_fresh: timedelta = minutes(1)  # how old the rota may be when people are told something
    rhythms: dict[int, Rhythm] = RHYTHMS
    limits: Limits = Limits()
    evidence: EvidenceNumbers = EvidenceNumbers()
    evidence_hold: EvidenceHold = EvidenceHold()
    mail: MailNumbers = MailNumbers()
    hunt: HuntNumbers = HuntNumbers()
    stability: Stability = Stability()
    return_steps: tuple[float, ...] = (0.1, 0.5, 1.0)  # tenants and traffic come back in these shares (INV-19)
    first_minutes: FirstMinutesDeadlines = FirstMinutesDeadlines()
    country: str = ""  # whose public holidays count in business days: `US`, `IE`, `DE-BE`, `GB-ENG`; empty: weekends only
    time_zone: str = ""  # in which a due date is a day, `Europe/Berlin`; empty: UTC
    post_mortem_days: int = Field(default=5, ge=1)  # business days after it was resolved (seed §4.2)
    mitigated_window: timedelta = minutes(2)  # the impact has ended when it ended for so long
    mitigated_within: timedelta = minutes(10)  # after so long a person is asked how to go on
    impact: Impact = Impact()
    curves: CurveNumbers = CurveNumbers()
    impact_looked_at: timedelta = minutes(5)  # how often it is looked, in recovery, whether the impact is back; an alarm does so at once
    alert_clears_within: timedelta = minutes(45)  # an alert of ours that fires longer than that, on healthy metrics, is asked about
    called_in_within: timedelta = minutes(15)  # how soon a person has begun what no playbook here does, and another one has called for
    relapses: int = Field(default=2, ge=0)  # after so many returns of the impact people carry on by hand
    provider_outage: ProviderOutage = ProviderOutage()
    model_drift: ModelDrift = ModelDrift()
    freeze: Freezing = Freezing()
    production_outage: ProductionOutage = ProductionOutage()
    mitigation: MitigationSettings = MitigationSettings()
    roll_back: RollBack = RollBack()
    cache_poisoning: CachePoisoning = CachePoisoning()
    slo: SloPolicy = SloPolicy()
    prompt_injection: PromptInjection = PromptInjection()
    cost_runaway: CostRunaway = CostRunaway()
    database_failover: DatabaseFailover = DatabaseFailover()
    tenant_isolation: TenantIsolation = TenantIsolation()
    secret_compromise: SecretCompromise = SecretCompromise()
    supply_chain: SupplyChain = SupplyChain()
    edge: EdgeNumbers = EdgeNumbers()
    sign_in: SignInNumbers = SignInNumbers()
    data_breach: DataBreach = DataBreach()
    loops: LoopNumbers = LoopNumbers()
    queue_backlog: QueueBacklog = QueueBacklog()
    severity: SeverityPolicy = SeverityPolicy()
    alerts: AlertIntake = AlertIntake()
    standing: dict[str, StandingAuthorisation] = {}
    standing_signed: bool = True  # false: a standing policy counts unsigned, and is shown so (a demo that trusts the local user)
    holding_statement: bool = True  # published when nobody in Comms answers (needs a standing authorisation)
    plan_ahead: bool = True  # rehearse beside an incident, so that the rest can be printed and done by hand when nothing of ours runs
    patience: dict[Patience, Tries] = PATIENCE

    @field_validator("patience", "approval_valid")
    @classmethod
    def _with_defaults(cls, given: dict[Any, Any], info: ValidationInfo) -> dict[Any, Any]:
        return {**cls.model_fields[info.field_name or ""].default, **given}

    @field_validator("rhythms", mode="before")
    @classmethod
    def _on_top(cls, given: Any) -> Any:
        """A severity, or a key of one, that is not named keeps the spec's."""
        if not isinstance(given, dict):
            return given
        ours = {str(severity): told for severity, told in given.items()}
        standard = {str(severity): rhythm.model_dump() for severity, rhythm in RHYTHMS.items()}
        return {s: {**standard.get(s, {}), **told} if isinstance(told, dict) else told for s, told in {**standard, **ours}.items()}

    @property
    def may_write_to(self) -> tuple[str, ...] | None:
        """The systems that may be written to; None: all."""
        return self.write_access if self.mode == "shadow" else None

    def paced(self, duration: timedelta) -> timedelta:
        return duration / self.pace

    def for_people(self, duration: timedelta) -> timedelta:
        """A wait for a person in real time: scaled, but never below what a person needs."""
        return max(duration / self.pace, self.least_wait_for_people)

    def rhythm(self, severity: int) -> Rhythm:
        return self.rhythms[severity]
