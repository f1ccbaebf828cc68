"""Severity rises with time, and is lowered only under the conditions of spec §3."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.action import Role
from tests.incident.severity.judged import P
from workflows.incident import SEV1, SEV2, SEV3, SEV4, SEV5, Severity
from workflows.severity.adjustment import Lowering, LoweringRequest, Observation, SeverityHistory, may_lower, raise_if_not_mitigated
from workflows.severity.facts import Facts, Quality

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


# --- escalation


def test_sev_3_unmitigated_for_more_than_four_hours_is_proposed_as_sev_2() -> None:
    assert raise_if_not_mitigated(SEV3, NOON, NOON + P.sev3_patience, growing_radius=True) is None
    late = raise_if_not_mitigated(SEV3, NOON, NOON + P.sev3_patience + MINUTE, growing_radius=False)
    assert late is not None
    assert late.severity is SEV2


def test_sev_2_for_more_than_an_hour_with_a_growing_radius_is_proposed_as_sev_1() -> None:
    late = NOON + P.sev2_patience + MINUTE
    assert raise_if_not_mitigated(SEV2, NOON, late, growing_radius=False) is None
    assert raise_if_not_mitigated(SEV2, NOON, NOON + P.sev2_patience, growing_radius=True) is None
    proposal = raise_if_not_mitigated(SEV2, NOON, late, growing_radius=True)
    assert proposal is not None
    assert proposal.severity is SEV1


@pytest.mark.parametrize("severity", [SEV1, SEV4, SEV5])
def test_nothing_else_rises_with_time(severity: Severity) -> None:
    assert raise_if_not_mitigated(severity, NOON, NOON + timedelta(days=9), growing_radius=True) is None


# --- de-escalation

HEALTHY: dict[str, Any] = {"scope": "FEATURE"}


def looked(facts: dict[str, Any] = HEALTHY, *, minutes: int = 40, every: int = 10) -> list[Observation]:
    return [Observation(at=NOON - m * MINUTE, facts=Facts.model_validate(facts)) for m in range(minutes, -1, -every)]


def lowering(
    history: list[Observation] | None = None, *, current: Severity = SEV2, to: Severity = SEV3, fired: Sequence[str] = (),
    changes: Sequence[datetime] = (), **changed: Any,
) -> Lowering:  # fmt: skip
    wish: dict[str, Any] = {"by_commander": True, "mitigation_verified": True, "radius_quality": Quality.MED, "comms_updated": True}
    known = SeverityHistory(NOON - 90 * MINUTE, looked() if history is None else history, changes)
    known.fired |= set(fired)
    return may_lower(LoweringRequest(current=current, to=to, at=NOON, **{**wish, **changed}), known)


def test_the_commander_may_lower_by_one_when_all_is_quiet_verified_known_and_told() -> None:
    assert lowering().allowed
    assert f"no rule of SEV-2 held for {P.quiet}" in lowering().reasons


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"by_commander": False}, "only the incident commander may lower"),
        ({"mitigation_verified": False}, "mitigation is not verified"),
        ({"radius_quality": Quality.LOW}, "blast radius quality is LOW"),
        ({"radius_quality": Quality.UNKNOWN}, "blast radius quality is UNKNOWN"),
        ({"comms_updated": False}, "comms are not updated"),
        ({"to": SEV4}, "SEV-2 may become one level less, not SEV-4"),
        ({"to": SEV1}, "SEV-2 may become one level less, not SEV-1"),
        ({"to": SEV2}, "SEV-2 may become one level less, not SEV-2"),
    ],
)
def test_one_missing_condition_is_enough_to_hold(changed: dict[str, Any], reason: str) -> None:
    assert lowering(**changed) == Lowering(allowed=False, reasons=(reason,))


HELD = "a rule of SEV-2 held, or nobody looked, within 0:30:00"


def moved(change: Callable[[Observation], Observation]) -> list[Observation]:
    return [change(seen) for seen in looked()]


@pytest.mark.parametrize(
    "history",
    [
        [],
        looked(minutes=20),
        looked(minutes=40, every=20),
        [*looked(), Observation(at=NOON - 5 * MINUTE, facts=Facts(db_failover=True))],
        [*looked(), Observation(at=NOON - 5 * MINUTE, facts=Facts(stale=True))],
        looked({"isolation_failure": "CONFIRMED"}),
        moved(lambda seen: seen.model_copy(update={"at": seen.at - 15 * MINUTE})),
    ],
    ids=["nothing", "too short", "a gap", "a B rule", "a doubt", "an A rule", "none of late"],
)
def test_a_rule_that_held_or_a_gap_in_the_record_holds_the_level(history: list[Observation]) -> None:
    assert HELD in lowering(history).reasons
    assert not lowering(history).allowed


def test_what_held_longer_ago_does_not_count() -> None:
    assert lowering([Observation(at=NOON - 45 * MINUTE, facts=Facts(db_failover=True)), *looked()]).allowed


def test_an_exposure_stays_sev_1_while_data_may_leave_and_unknown_means_it_may() -> None:
    was = [Observation(at=NOON - 90 * MINUTE, facts=Facts.model_validate({"data_exposure": "CONFIRMED"})), *looked()]
    for may in (True, None):
        assert lowering(was, current=SEV1, to=SEV2, exfiltration_may_continue=may).reasons == (
            "A1 or A2 fired: not below SEV-1 while exfiltration may continue",
        )
    assert lowering(was, current=SEV1, to=SEV2, exfiltration_may_continue=False).allowed


def test_an_exposure_stays_sev_2_until_security_and_legal_sign() -> None:
    unsigned: dict[str, Any] = {"fired": ["A1"], "exfiltration_may_continue": False}
    for signed in ((), (Role.SECURITY_LEAD,), (Role.LEGAL,)):
        assert lowering(**unsigned, signed=frozenset(signed)).reasons == (
            "A1 or A2 fired: not below SEV-2 until Security and Legal sign the scope",
        )
    assert lowering(**unsigned, signed=frozenset({Role.SECURITY_LEAD, Role.LEGAL})).allowed


def test_flapping_holds_the_higher() -> None:
    assert lowering(changes=[NOON - 29 * MINUTE]).allowed
    assert lowering(changes=[NOON - 50 * MINUTE, NOON - 31 * MINUTE]).allowed
    assert "hold the higher" in lowering(changes=[NOON - 29 * MINUTE, NOON - 3 * MINUTE]).reasons[0]
