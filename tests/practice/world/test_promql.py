"""PromQL answers against values computed by hand, on series whose every sample is known."""

import math

import pytest

from practice.metrics.metrics import Metrics
from practice.metrics.promql import compiled
from practice.metrics.promql_words import PromqlError

NOW = 600.0


@pytest.fixture
def metrics() -> Metrics:
    """41 samples, one every 15 s from 0 to 600."""
    store = Metrics()
    a, b = store.counter("hits", {"job": "a", "code": "200"}), store.counter("hits", {"job": "b", "code": "500"})
    temperature = store.gauge("temperature", {"room": "hall"})
    cumulative = [(store.counter("took_bucket", {"le": le}), share) for le, share in (("1", 5), ("2", 8), ("+Inf", 10))]
    for step in range(41):
        a.value, b.value, temperature.value = step * 30.0, step * 15.0, float(step % 4)
        if step >= 30:
            b.value = (step - 30) * 15.0  # a restart
        for series, share in cumulative:
            series.value = step * float(share)
        store.sample(step * 15.0)
    return store


def one(metrics: Metrics, text: str, at: float = NOW) -> float:
    vector = compiled(text).vector(metrics, at)
    assert len(vector) == 1, vector
    return vector[0][1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 ^ 2", 19),
        ("-2 ^ 2", -4),
        ("7 % 4", 3),
        ("2 > bool 1", 1),
        ("time()", 600),
        ("vector(4) + 1", 5),
        ('hits{job="a"}', 1200),
        ('hits{job=~"a|c", code!="500"}', 1200),
        ('hits{job!~"a.*"}', 150),
        ('hits{job="a"} offset 5m', 600),
        # (300, 600] holds 20 samples, 285 s apart end to end; 570 grows to 570 × 300/285 = 600: 2 a second.
        ('rate(hits{job="a"}[5m])', 2),
        ('increase(hits{job="a"}[5m])', 600),
        # b grows 15 a step and restarts once; the drop to 0 is no growth: 18 × 15 = 270, × 300/285.
        ('increase(hits{job="b"}[5m])', 270 * 300 / 285),
        ('irate(hits{job="a"}[1m])', 2),
        ('delta(temperature[1m])', (0 - 1) * 60 / 45),
        ("sum(hits)", 1350),
        ("avg(hits)", 675),
        ("max(hits)", 1200),
        ("min(hits)", 150),
        ("count(hits)", 2),
        ("quantile(0.5, hits)", 675),
        ('sum by (job) (hits{job="b"})', 150),
        ('sum without (code, job) (hits)', 1350),
        ("avg_over_time(temperature[1m])", (1 + 2 + 3 + 0) / 4),
        ("max_over_time(temperature[1m])", 3),
        ("min_over_time(temperature[1m])", 0),
        ("sum_over_time(temperature[1m])", 6),
        ("count_over_time(temperature[1m])", 4),
        ("last_over_time(temperature[1m])", 0),
        ("quantile_over_time(0.5, temperature[1m])", 1.5),
        ("max_over_time(rate(hits{job='a'}[1m])[3m:15s])", 2),
        # rank 9 of 10 lies in the open bucket, whose lower end is 2; rank 6.5 lies half-way between 5 and 8.
        ("histogram_quantile(0.9, took_bucket)", 2),
        ("histogram_quantile(0.65, took_bucket)", 1.5),
        ("histogram_quantile(0.65, sum by (le) (rate(took_bucket[5m])))", 1.5),
        ("absent(nothing{room='attic'})", 1),
        ("scalar(temperature) + 1", 1),
        ("clamp_min(vector(-3), 0)", 0),
        ("clamp_max(vector(7), 5)", 5),
        ("abs(vector(-3))", 3),
        ("count(hits > 500)", 1),
        ("sum(hits > bool 500)", 1),
        ("count(hits and on (job) hits{job='a'})", 1),
        ("count(hits or temperature)", 3),
        ("count(hits unless ignoring (code) hits{job='a'})", 1),
        ("count(nothing or vector(0))", 1),
        ("sum(hits{job='a'} / ignoring (code, job) hits{job='b'})", 8),
        ("count(topk(1, hits))", 1),
    ],
)  # fmt: skip
def test_value(metrics: Metrics, text: str, value: float) -> None:
    assert one(metrics, text) == pytest.approx(value, rel=1e-9)


def test_nothing_over_nothing_is_not_a_number(metrics: Metrics) -> None:
    assert math.isnan(one(metrics, "vector(0) / vector(0)"))
    assert math.isinf(one(metrics, "vector(1) / vector(0)"))


def test_labels_are_kept_by_filters_and_dropped_by_calculations(metrics: Metrics) -> None:
    (kept, _), *_ = compiled("hits > 500").vector(metrics, NOW)
    assert kept == {"__name__": "hits", "job": "a", "code": "200"}
    (bare, _), *_ = compiled("hits * 2").vector(metrics, NOW)
    assert "__name__" not in bare


def test_an_instant_looks_back_five_minutes_and_no_further(metrics: Metrics) -> None:
    assert compiled("temperature").vector(metrics, NOW + 299)
    assert compiled("temperature").vector(metrics, NOW + 300) == []


def test_a_counter_that_appears_late_is_born_at_zero(metrics: Metrics) -> None:
    late = metrics.counter("late", {})
    late.value = 1
    metrics.sample(615)
    assert one(metrics, "increase(late[5m])", 615) > 0


def test_a_series_that_appeared_later_has_nothing_in_a_window_of_the_past(metrics: Metrics) -> None:
    metrics.counter("hits", {"job": "new", "code": "200"}).value = 5.0
    for step in range(1, 6):
        metrics.sample(NOW + step * 15)
    assert one(metrics, "sum(count_over_time(hits[120s]))", at=NOW - 20) == 16


def test_a_range_is_a_point_per_step(metrics: Metrics) -> None:
    ((labels, points),) = compiled("temperature").range(metrics, 0, 60, 15)
    assert labels["room"] == "hall"
    assert points == [(0, 0), (15, 1), (30, 2), (45, 3), (60, 0)]


@pytest.mark.parametrize(
    "text",
    ["sum(", "rate(hits)", "hits / on (code) group_left () hits", "predict_linear(hits[5m], 60)", "hits @ 5", "rate(hits[5m]", "1 and 2"],
)
def test_what_is_wrong_or_not_there_is_refused(metrics: Metrics, text: str) -> None:
    with pytest.raises(PromqlError):
        compiled(text).vector(metrics, NOW)


def test_old_samples_are_forgotten_and_the_rest_stays_right() -> None:
    store = Metrics()
    hits = store.counter("hits", {})
    for step in range(8001):  # 33 hours; retention is 26
        hits.value = float(step)
        store.sample(step * 15.0)
    assert len(store.times) < 7500
    assert one(store, "hits", 8000 * 15.0) == 8000
    assert one(store, "rate(hits[5m])", 8000 * 15.0) == pytest.approx(1 / 15)
