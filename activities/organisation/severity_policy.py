"""The numbers of the severity function, as settings (`[policy.severity]`)."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from activities.values import Value

Ratio = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Some = Annotated[int, Field(ge=1)]


class SeverityPolicy(Value):
    """The numbers of the severity function (spec §3)."""

    outage_ratio: Ratio = 0.50  # seed §0.1
    degraded_ratio: Ratio = 0.05  # seed §2.1
    window_s: Amount = 300  # seed §2.1
    many_regions: Some = 2  # seed §0.1
    many_tenants_ratio: Ratio = 0.25
    many_tenants: Some = 50
    many_users_ratio: Ratio = 0.10
    tier1_tenants: Some = 1
    min_samples: Some = 200
    spend_multiple: Amount = 3  # seed §2.6
    spend_floor_usd_per_h: Amount = 50
    confidence_floor: Ratio = 0.6
    doubt_discount: Ratio = 0.5  # what a fired U leaves of the confidence
    observe_at: int = Field(default=4, ge=1, le=5)  # evidence exists and none of it fires: observe
    synthetic_limit_s: Amount = 300
    blind_limit_s: Amount = 300
    sev3_patience: timedelta = timedelta(hours=4)
    sev2_patience: timedelta = timedelta(minutes=60)
    quiet: timedelta = timedelta(minutes=30)
    flap_changes: Some = 2
    flap_window: timedelta = timedelta(minutes=30)

    def paced(self, pace: float) -> "SeverityPolicy":
        """The same, with its durations in real time."""
        durations = ("sev3_patience", "sev2_patience", "quiet", "flap_window")
        return self.model_copy(update={name: getattr(self, name) / pace for name in durations})
