"""What the tests of severity share: how facts are judged, and facts just beyond the policy's limits."""

from typing import Any

from activities.organisation.numbers import SeverityPolicy
from workflows.severity.classify import Classification, classify
from workflows.severity.facts import Facts

P = SeverityPolicy()


def judged(policy: SeverityPolicy = P, /, **facts: Any) -> Classification:
    return classify(Facts.model_validate(facts), policy)


def rules(found: Classification) -> set[str]:
    return {rule.rule for rule in found.rules}


def just_over(limit: float) -> float:
    return limit + 0.01


FULL = {"duration_s": P.window_s}
LONG_OUTAGE = {"err_ratio": {"eu": just_over(P.outage_ratio)}, **FULL}
ONE_BAD = {"err_ratio": {"eu": just_over(P.degraded_ratio), "us": 0.0}, **FULL}
TWO_BAD = {"err_ratio": {"eu": just_over(P.degraded_ratio), "us": just_over(P.degraded_ratio)}, **FULL}
RUNAWAY = {"spend_multiple": just_over(P.spend_multiple)}
