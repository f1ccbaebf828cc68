"""What the stories of §2.11 are told with: a domain that goes wrong, with a real Valkey where the story has a cache."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import redis

from practice.knowledge.library import Domain, Knowledge
from practice.stores.valkey import Valkey
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.outages import makes, passes
from tests.stage.running import RunningIncident
from tests.stores.caches import emptied
from workflows.incident import Phase
from workflows.status import Status

QUICK = """
{others}
[policy.cache_poisoning]
correct_for = "PT6M"
canary = [0.5, 1.0]
canary_step = "PT1M"
resting = "PT0S"
{numbers}
"""
NO_LETTER = {"Send the letter": "decline"}


def quick(numbers: str = "", more: str = "") -> str:
    """The same story in less policy time."""
    return brisk(more=QUICK.format(others=OTHERS, numbers=numbers) + more)


@asynccontextmanager
async def poisoned(
    tmp: Path, *kinds: str, domain: str = "billing", cache: bool = True, policy: str = "", seconds: float = 330, labels: Any = None,
    **settings: Any,
) -> AsyncIterator[tuple[Drill, RunningIncident]]:  # fmt: skip
    """One thing after the other goes wrong with a domain, the metrics show it, and an incident is declared."""
    server = emptied() if cache else None
    told: dict[str, Any] = {"cache_address": server.address(), "cache_password": f"file:{tmp / 'token'}"} if server else {}
    tmp.mkdir(exist_ok=True)
    async with drill(tmp, policy=policy or quick(), **told, **settings) as stage:
        if server:
            await makes(stage, "caches", address=server.address("product"))
            await passes(stage, 600)
        for kind in kinds:
            await makes(stage, "knowledge-faults", kind=kind, domain=domain)
        await passes(stage, seconds)
        yield stage, await stage.declare("CachePoisoning", labels={"domain": domain} if labels is None else labels)


def of(stage: Drill, domain: str = "billing") -> Domain:
    """A domain, as the world has it."""
    return stage.world.state.part(Knowledge).domains[domain]


def of_settings(domain: Domain) -> Any:
    """Everything that can be set of a domain."""
    settings = ("cag", "namespace", "coalescing", "serving", "freshness", "quarantine", "alias")
    return {name: dict(vars(getattr(domain, name))) for name in settings}


def entries(server: Valkey, domain: str = "billing") -> list[str]:
    """Every cached answer of a domain, as it stands there."""
    with server.client() as client:
        return [str(_text(client, key)) for key in client.scan_iter(match=f"cag:*:{domain}:*", count=1000)]


def _text(client: redis.Redis, key: Any) -> Any:
    return client.get(key)


async def wrong(stage: Drill, domain: str = "billing") -> float:
    """The share of wrong answers in the last five minutes, by the metrics."""
    of_domain = f'domain="{domain}"'
    bad, every = f'cag_hits_total{{{of_domain},judged="wrong"}}[5m]', f"cag_hits_total{{{of_domain}}}[5m]"
    found = await stage.measured(f"sum(increase({bad})) / sum(increase({every}))")
    return float(found[0]["value"][1]) if found else 0.0


async def ends(
    incident: RunningIncident, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None, until: Phase | None = None,
    rounds: int = 400, lenient: bool = False,
) -> Status:  # fmt: skip
    """Let the incident run to its end (or to a phase), answering on the way: a verdict or a value by a part of the question.

    Both of two people say yes where two are asked. "" leaves a question open. `lenient`: it need not have come so far.
    """
    told = {"How many of": 50, "Was it restarted": "restarted", **(values or {})}
    return await incident.runs({**NO_LETTER, **(answers or {})}, told, until=until, rounds=rounds, lenient=lenient)
