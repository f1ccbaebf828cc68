"""Everybody is kept posted on time, also while chat, status page or tracker are down (seed §1.1 and §3, spec §6)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from practice.world import World
from tests.drill import ORGANISATION, Drill, Told, brisk, drill, until

WORDS = """
[links]
bridge = "https://meet.example.com/incidents"
bridge_number = "+49 30 5550100"
status_page = "https://status.example.com"
rota = "https://rota.example.com"
dashboards = { errors = "https://grafana.example.com/d/errors" }
runbooks = { "2.2" = "https://wiki.example.com/llm", "2.9" = "https://wiki.example.com/database" }
[contacts]
support_channel = "support"
executives_channel = "executives"
"""
HOLDING = """
[policy.standing."status_page.publish"]
signed_by = ["dana", "pat"]
expires_at = 2099-01-01T00:00:00Z
why = "holding statement"
"""
MACRO = (
    "We’re experiencing an incident impacting chat for some customers. Our engineers are working on it with high priority. "
    "Status: https://status.example.com. We’ll keep you updated."
)
IDENTIFIED = "We are investigating elevated errors affecting chat. Mitigation is in progress. Next update in 30 minutes."
MONITORING = "A fix has been deployed. We are monitoring recovery and will provide a final update within 60 minutes."
SPEC = ""  # the spec's own numbers
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MINUTE = timedelta(minutes=1)


@asynccontextmanager
async def incident_of(
    tmp: Path, *, policy: str | None = None, words: str = WORDS, lasts: int | None = None, settings: dict[str, Any] | None = None,
    dials: dict[str, str] | None = None, **declared: Any,
) -> AsyncIterator[tuple[Drill, Told]]:  # fmt: skip
    """A provider outage whose failover is asked, in an organisation that has links and channels. `dials`: what is down before it begins."""
    organisation = ORGANISATION.format(policy=brisk() if policy is None else policy) + words
    async with drill(tmp, organisation=organisation, **(settings or {})) as stage:
        await stage.edit(providers={"borealis": {"parity": 0.93}})
        await stage.fault(provider="aurora", kind="overload", rate=0.6, **({"for_seconds": lasts} if lasts else {}))
        for route, mode in (dials or {}).items():
            await stage.dial(route, mode)
        yield stage, await stage.declare(**declared)


def said(stage: Drill, channel: str) -> list[str]:
    """Every message of a channel, oldest first."""
    return [str(m["text"]) for c in stage.world.state.slack.values() if c["name"] == channel for m in c["messages"]]


def pinned(stage: Drill, channel: str) -> list[str]:
    """What is pinned in it."""
    return [str(m["text"]) for c in stage.world.state.slack.values() if c["name"] == channel for m in c["messages"] if m["ts"] in c["pins"]]


def published(world: World) -> list[dict[str, Any]]:
    """What the public reads, oldest first."""
    return [update for incident in world.state.statuspage.values() for update in reversed(incident["incident_updates"])]


def pages(stage: Drill, person: str) -> list[str]:
    """What woke somebody."""
    return [str(letter["text"]) for letter in stage.world.state.people[person].inbox if letter["via"] == "page"]


async def when(look: Any, told: Told, what: str, skip: timedelta = timedelta(seconds=30)) -> Any:
    """Let time pass until something is so."""

    async def seen() -> Any:
        found = look()
        if not found:
            await told.pass_time(skip)
        return found

    return await until(seen, what)


# -- the war room ---------------------------------------------------------------------------------------------------------------------


async def test_the_room_is_named_after_the_incident_and_what_is_pinned_is_kept_current(tmp_path: Path) -> None:
    """Runbooks, dashboards, rota, latest status (seed §1.1): four pins, edited and never posted again."""
    async with incident_of(tmp_path) as (stage, incident):
        await incident.hears("war room #")
        assert re.fullmatch(r"inc-\d{8}-\w+", incident.id)
        runbooks, dashboards, rota, status = pinned(stage, incident.id)
        assert "https://wiki.example.com/llm" in runbooks and "database" not in runbooks
        assert "errors: https://grafana.example.com/d/errors" in dashboards
        assert "https://rota.example.com" in rota and "Ops Lead lee (roster file)" in rota and "Scribe timeline bot (interim)" in rota
        assert "IC nobody yet" in status and "Bridge: https://meet.example.com/incidents" in status
        await incident.answer("over from aurora")
        await incident.say("assign", {"role": "scribe", "to": "kim", "by": "dana"})
        await when(lambda: "Scribe kim" in pinned(stage, incident.id)[3], incident, "the status to show the scribe")
        _, _, rota, status = pinned(stage, incident.id)
        assert "Scribe kim (assigned here)" in rota
        assert "IC dana" in status and "In force: backed off" in status
        assert len([text for text in said(stage, incident.id) if "Latest status" in text]) == 1
        room = next(c for c in stage.world.state.slack.values() if c["name"] == incident.id)
        assert {"U_DANA", "U_LEE", "U_NOOR", "U_RAVI", "U_KIM"} <= set(room["members"])
        assert (await incident.status()).roles["scribe"] == "kim"  # type: ignore[index]


# -- the clock ------------------------------------------------------------------------------------------------------------------------


async def test_a_sev1_of_four_hours_keeps_every_period_in_few_events(tmp_path: Path) -> None:
    """Public every 30 min, room every 15, executives at once, after 30 min and then hourly; and all of it below a thousand events."""
    async with incident_of(tmp_path, policy=SPEC, severity=1) as (stage, incident):
        for about in ("Publish", "over from aurora", "from retrieval only"):
            await incident.answer(about)
            await incident.say("pause", {"by": "dana"})
        began = (await incident.status()).declared_at
        before = len((await incident.handle.fetch_history()).events)
        await incident.pass_time(timedelta(hours=4))
        seen = [datetime.fromisoformat(update["created_at"]) for update in published(stage.world)]
        for l in await incident.timeline():
            print(l)
        print("\n".join(said(stage, incident.id)))
        print("\n".join(said(stage, "executives")))
        print("\n".join(said(stage, "support")))
        print([str(s - began) for s in seen])
        history = await incident.handle.fetch_history()
        from collections import Counter

        print(before, len(history.events), Counter(str(e.event_type) for e in history.events).most_common(12))
        print(
            Counter(
                e.activity_task_scheduled_event_attributes.activity_type.name for e in history.events if e.event_type == 10
            ).most_common(40)
        )
