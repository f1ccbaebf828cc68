"""The nouns that everything is made of: values, risks, roles. Light: no SDK, so that what only reads starts at once."""

from enum import IntEnum, StrEnum

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value that crosses the activity boundary. Unknown fields are refused: a typo is an error, not a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Risk(IntEnum):
    """Action classes (spec §2.4). C4, never by automation, has no verb and therefore no number here."""

    C0 = 0  # observe
    C1 = 1  # narrow, reversible, reduces risk
    C2 = 2  # broad, reversible
    C3 = 3  # hard to reverse, data-affecting, legal or large money

    @property
    def label(self) -> str:
        return f"C{self.value}"


class Role(StrEnum):
    """Who does what in an incident (seed §0.2, spec §4)."""

    INCIDENT_COMMANDER = "incident_commander"
    DEPUTY = "deputy"
    OPS_LEAD = "ops_lead"
    SECURITY_LEAD = "security_lead"
    COMMS_LEAD = "comms_lead"
    SCRIBE = "scribe"
    LEGAL = "legal"
    AI_ML_LEAD = "ai_ml_lead"
    DB_LEAD = "db_lead"
    FINANCE = "finance"
    ONCALL_MANAGER = "oncall_manager"
    DUTY_EXECUTIVE = "duty_executive"

    @property
    def title(self) -> str:  # type: ignore[override]
        """As people say it: `Incident Commander`."""
        return {"ai_ml_lead": "AI/ML Lead", "db_lead": "DB Lead", "oncall_manager": "On-call Manager"}.get(
            self.value, self.value.replace("_", " ").title()
        )


class Patience(StrEnum):
    """How long we try before a person is asked. The numbers are policy (`Policy.patience`)."""

    READ = "read"
    CHANGE = "change"
    ROLLOUT = "rollout"  # a platform brings it about, at its own pace
    WATCH = "watch"  # minutes long, heartbeating
    RECORD = "record"  # our own ledger: for ever, in the background
