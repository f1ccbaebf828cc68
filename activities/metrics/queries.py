"""The PromQL that we ask of the metrics store, and the same for a person, by curl."""

from datetime import timedelta

from activities.kit.words import promql, shell
from activities.kit.words.shell import Command, Part, Var

ONE_MINUTE, FIVE_MINUTES = timedelta(minutes=1), timedelta(minutes=5)
URL = Var("PROMETHEUS_URL")


def requests(service: str, **more: promql.Wanted) -> str:
    """The counters of a service's requests."""
    return promql.selector("service_requests_total", service=service, **more)


def provider_calls(window: timedelta) -> str:
    """Calls per second (of a rate) to every provider, by outcome."""
    return promql.total(promql.rate("llm_requests_total", window), "provider", "outcome")


def p99(service: str, window: timedelta) -> str:
    """The 99th percentile of a service's answers, in seconds."""
    return slowest(0.99, service, window)


def slowest(share: float, service: str, window: timedelta) -> str:
    """The seconds within which this share of a service's answers came."""
    return promql.quantile(share, promql.selector("service_request_duration_seconds_bucket", service=service), window)


def usual_p99(service: str) -> str:
    """The usual 99th percentile of a service's answers, in seconds."""
    return f"max({promql.selector('service_p99_baseline_seconds', service=service)})"


def usual_rate(service: str) -> tuple[str, ...]:
    """Requests per second that are usual at an instant, best answer first: as our rules record it; the same hour of last week; lately."""
    rate = promql.total(promql.rate(requests(service), FIVE_MINUTES))
    medians = (promql.median(rate, timedelta(hours=1), ago) for ago in (timedelta(days=7) - timedelta(minutes=30), timedelta(minutes=10)))
    return (f"max({promql.selector('service:rps:baseline', service=service)})", *medians)


def error_share(service: str, window: timedelta) -> str:
    """The part of a service's requests that failed."""
    failed, every = (promql.total(promql.rate(one, window)) for one in (requests(service, outcome="error"), requests(service)))
    return f"{failed} / {every}"


def kept(service: str) -> dict[str, str]:
    """What is kept of a service as evidence, by name."""
    tenants = promql.selector("tenant_requests_total", service=service)
    return {
        "requests": promql.total(promql.increase(requests(service), ONE_MINUTE), "region", "revision", "outcome"),
        "tenants": promql.total(promql.increase(tenants, ONE_MINUTE), "tenant", "outcome"),
        "p99": p99(service, FIVE_MINUTES),
        "synthetics": promql.selector("synthetic_ok", service=service),
        "provider_calls": promql.total(promql.increase("llm_requests_total", ONE_MINUTE), "provider", "outcome"),
    }


def by_hand(what: str, **params: Part | tuple[Part, ...]) -> Command:
    """Ask the metrics store by curl. `what`: `query` or `query_range`."""
    words: list[shell.Word] = []
    for name, value in params.items():
        words += ["--data-urlencode", (f"{name}=", *(value if isinstance(value, tuple) else (value,)))]
    return shell.command("curl", "-sS", "-G", shell.address(URL, f"/api/v1/{what}"), *words)
