"""The arithmetic of error budgets, for every count there may be; what `incident slo` says of it; and the six dashboards."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from activities.action import Call
from activities.metrics.slo import Burning, Counted, ErrorBudget, Finding, SloPolicy, burn, remaining
from activities.metrics.telemetry import BudgetOf, Telemetry
from activities.organisation.communications import DASHBOARDS, Links
from activities.organisation.policy import Policy
from practice.http.server import serve
from practice.services.fleet import ServiceFault
from practice.world.world import World
from starters.cli import cli, doctor
from starters.cli import slo as screen
from tests.stage.organisation import stage_settings
from worker.wiring import building

POLICY = SloPolicy()
TARGET = 0.999
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
totals = st.floats(min_value=1, max_value=1e9)
shares = st.floats(min_value=0, max_value=1)


def over(window: timedelta, share: float | None, total: float = 1e6) -> Counted:
    """A window in which that share failed; None: no data."""
    return Counted(window=window, bad=None if share is None else share * total, total=None if share is None else total)


def budget(share: float | None, *, history: timedelta = 30 * DAY, fresh: bool = True, total: float = 1e6) -> ErrorBudget:
    """The same share over every window."""
    windows = tuple(over(window, share, total) for window in POLICY.windows)
    return ErrorBudget(
        service="api", slo_target=TARGET, fresh=fresh, history=history, month=over(POLICY.window, share, total), windows=windows
    )


def findings(counted: ErrorBudget, policy: SloPolicy = POLICY) -> list[Finding]:
    return [one.finding for one in counted.burning(policy)]


def test_the_thresholds_are_the_workbooks() -> None:
    pairs = [(a.factor, a.long / HOUR, a.short / HOUR * 60, a.says) for a in Policy().slo.alerts]
    assert pairs == [(14.4, 1, 5, "page"), (6, 6, 30, "page"), (1, 72, 360, "ticket")]
    for alert in POLICY.alerts:
        assert alert.long == 12 * alert.short
    spent = [alert.factor * (alert.long / POLICY.window) for alert in POLICY.alerts]
    assert spent == pytest.approx([0.02, 0.05, 0.1]), "the part of the budget that is gone when it is said"


@given(totals, shares)
def test_a_burn_of_one_spends_the_budget_exactly(total: float, share: float) -> None:
    counted = Counted(window=POLICY.window, bad=share * total, total=total)
    rate, left = burn(counted, TARGET), remaining(counted, TARGET)
    assert rate is not None and left is not None
    assert rate == pytest.approx(share / 0.001)
    assert left == pytest.approx(1 - rate) and left <= 1


@given(st.lists(st.tuples(totals, shares), min_size=2, max_size=20))
def test_the_budget_is_by_requests_and_never_a_mean_of_ratios(days: list[tuple[float, float]]) -> None:
    """Cutting the window into days changes nothing: the sums do not know of them. A mean of ratios lies elsewhere."""
    total, bad = sum(n for n, _ in days), sum(n * share for n, share in days)
    whole = remaining(Counted(window=POLICY.window, bad=bad, total=total), TARGET)
    weighed = sum((n / total) * (1 - share / 0.001) for n, share in days)
    assert whole == pytest.approx(weighed, rel=1e-6, abs=1e-6)


def test_a_quiet_bad_night_is_not_a_busy_day() -> None:
    night, day = (100.0, 0.5), (1e6, 0.0)
    by_requests = remaining(Counted(window=POLICY.window, bad=50, total=night[0] + day[0]), TARGET)
    by_time = 1 - (night[1] + day[1]) / 2 / 0.001
    assert by_requests is not None and by_requests > 0.9 and by_time < -200


@given(totals, shares, shares)
def test_more_failures_never_leave_more(total: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    left = [remaining(Counted(window=DAY, bad=share * total, total=total), TARGET) for share in (low, high)]
    assert left[0] is not None and left[1] is not None and left[0] >= left[1]


@given(shares, shares)
def test_a_worse_burn_never_says_less(one: float, other: float) -> None:
    grave = {Finding.WITHIN: 0, Finding.PAGE: 1, Finding.TICKET: 1}
    low, high = sorted((one, other))
    assert all(grave[a] <= grave[b] for a, b in zip(findings(budget(low)), findings(budget(high)), strict=True))


@pytest.mark.parametrize("alert", POLICY.alerts, ids=lambda alert: f"{alert.factor:g}")
@given(long=shares, short=shares)
def test_both_windows_must_burn(alert: object, long: float, short: float) -> None:
    """The long one says that it matters, the short one that it still goes on."""
    pair = next(a for a in POLICY.alerts if a == alert)
    counted = budget(0.0).model_copy(update={"windows": (over(pair.long, long), over(pair.short, short))})
    (found,) = [one for one in counted.burning(POLICY) if one.alert == pair]
    assume(long * 1e6 >= POLICY.least_errors)
    assert (found.finding is Finding(pair.says)) is (min(found.long or 0, found.short or 0) >= pair.factor)


@given(shares)
def test_missing_data_is_unknown_and_neither_health_nor_a_burn(share: float) -> None:
    stale = budget(share, fresh=False)
    assert stale.remaining is None and stale.exhausted(POLICY) is None and set(findings(stale)) == {Finding.UNKNOWN}
    none = budget(None)
    assert none.remaining is None and none.exhausted(POLICY) is None and set(findings(none)) == {Finding.UNKNOWN}
    assert "no data" in none.in_words(POLICY)


@given(st.floats(min_value=0, max_value=POLICY.least_requests - 1), shares)
def test_little_traffic_pages_nobody(total: float, share: float) -> None:
    assert not {Finding.PAGE, Finding.TICKET} & set(findings(budget(share, total=total)))


def test_no_failure_yet_is_a_whole_budget() -> None:
    assert budget(0.0).remaining == 1 and budget(0.0).exhausted(POLICY) is False
    assert set(findings(budget(0.0))) == {Finding.WITHIN}


@given(st.floats(min_value=0.0011, max_value=1))
def test_a_young_service_has_no_budget_that_could_be_exhausted(share: float) -> None:
    assert budget(share, history=2.9 * DAY).exhausted(POLICY) is None
    assert budget(share, history=3 * DAY).exhausted(POLICY) is True
    assert Finding.TICKET not in findings(budget(share, history=2 * HOUR))
    assert budget(share, total=5).exhausted(POLICY) is None, "too few errors to say so"


def test_an_outage_of_a_young_service_pages_all_the_same() -> None:
    assert findings(budget(0.4, history=0.1 * HOUR))[:2] == [Finding.PAGE, Finding.PAGE]
    few = budget(0.02, history=0.1 * HOUR, total=100)
    assert findings(few)[0] is Finding.TOO_LITTLE, "two errors: five minutes and an hour are the same minutes"


def test_what_follows_is_said_with_its_command() -> None:
    def said(counted: ErrorBudget) -> str:
        return "\n".join(screen.picture(counted, POLICY))

    assert "nothing to do" in said(budget(0.0)) and "100% of the error budget" in said(budget(0.0))
    assert "incident declare slo_burn --service api" in said(budget(0.002)) and "a ticket" in said(budget(0.002))
    assert "incident declare production_outage --service api" in said(budget(0.1))
    assert "no data does not mean healthy" in said(budget(None))
    assert "burn over 1 h 2.00, over 5 min 2.00 — page from 14.4 on both" in said(budget(0.002))
    told = screen.told(budget(0.002), POLICY)
    assert told["exhausted"] is True and isinstance(told["burn"], list) and len(told["burn"]) == 3
    assert isinstance(budget(0.002).burning(POLICY)[0], Burning)


async def test_it_is_counted_from_the_metrics_of_a_service(tmp_path: Path) -> None:
    """A world that failed 2 % of its requests for half an hour, and then none; a service that is none; a store that is blind."""
    world = World(seed=7, following=True, state=tmp_path)
    now = world.clock.now()
    world.state.fleet.faults.append(ServiceFault("api", kind="region", rate=0.02, since=now, until=now + 1800))
    world.clock.show(now + 3600)
    world.advance()
    async with serve(world) as url, AsyncExitStack() as stack:
        store = building(stage_settings(url, tmp_path, tmp_path / "organisation.toml"), stack).system(Telemetry)
        at = datetime.fromtimestamp(world.clock.now(), UTC)
        call = Call(incident_id="cli", key="cli/telemetry.slo/api", at=at)
        counted = await store.slo(BudgetOf(service="api"), call)
        assert counted.fresh and HOUR <= counted.history <= 1.5 * HOUR
        assert counted.remaining is not None and counted.remaining < -3
        assert counted.exhausted(POLICY) is None, "an hour of history exhausts no budget of thirty days"
        assert counted.exhausted(SloPolicy(least_history=HOUR)) is True
        rates = {one.alert.factor: (one.long, one.short) for one in counted.burning(POLICY)}
        long, short = rates[14.4]
        assert long is not None and 5 < long < 15 and short is not None and short < 3
        nobody = await store.slo(BudgetOf(service="nobody"), call)
        assert nobody.remaining is None and not nobody.fresh
        world.state.blind = True
        world.clock.show(world.clock.now() + 300)
        world.advance()
        later = call.model_copy(update={"at": datetime.fromtimestamp(world.clock.now(), UTC)})
        assert (await store.slo(BudgetOf(service="api"), later)).remaining is None


def test_without_a_metrics_store_it_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("INCIDENT_ORGANISATION", str(tmp_path / "none.toml"))
    monkeypatch.setenv("INCIDENT_PROMETHEUS_URL", "")
    assert cli.run(["slo", "api"]) == 1
    assert capsys.readouterr().err.startswith("the address of the metrics store is not configured")
    monkeypatch.setenv("INCIDENT_PROMETHEUS_URL", "http://127.0.0.1:9")
    assert cli.run(["slo", "api"]) == 1
    assert "http://127.0.0.1:9 does not answer" in capsys.readouterr().err


def test_the_doctor_wants_the_seeds_six_dashboards_by_name(tmp_path: Path) -> None:
    assert Links.model_validate({"dashboards": dict.fromkeys(DASHBOARDS, "https://g.example.com/d/1")}).missing_dashboards() == ()
    assert Links().missing_dashboards() == tuple(DASHBOARDS)
    links = Links.model_validate({"dashboards": {"Errors": "https://g.example.com/e", "p99 latency": "https://g.example.com/l"}})
    assert links.missing_dashboards() == ("availability", "token usage", "cost per request", "model quality")
    written = tmp_path / "organisation.toml"
    written.write_text('[links.dashboards]\nlatency = "https://g.example.com/l"\n')
    (check,) = doctor._dashboards(stage_settings("http://127.0.0.1:9", tmp_path, written))
    assert check.state == "warning"
    assert "error rate, availability, token usage, cost per request, model quality" in check.said
    assert check.fix == f'{written}: [links.dashboards] "error rate" = "https://…"'
