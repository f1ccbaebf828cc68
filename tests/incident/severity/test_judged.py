"""Severity is judged again at every reading and every alert, by as many requests as there are, and says which rule decided it."""

from datetime import timedelta
from pathlib import Path

from tests.stage.drill import drill
from tests.stage.outages import MINUTE, makes, outage, passes, quick, story
from workflows.incident import Severity
from workflows.status import StepState

# Nobody looks by the clock: what is judged is judged because there was something new.
RARELY = quick() + "".join(f'[policy.rhythms.{n}]\nreclassify = "PT10H"\n' for n in (1, 2, 3))


async def test_nine_failing_requests_do_not_make_a_sev_1(tmp_path: Path) -> None:
    """Every one of them failed, and every tenant that sent one is hit: too few to say that it is broad."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "world", services={"api": {"rps": 0.03}})
        await makes(stage, "deploys", service="api", error_rate=1.0)
        await passes(stage, 900)
        incident = await stage.declare("ProductionOutage", service="api")
        await incident.hears("phase: Mitigation")
        status = await incident.status()
        assert (status.severity, status.peak_severity) == (Severity.SEV2, Severity.SEV2), status.because
        (seen,) = [s for s in status.steps if s.verb == "telemetry.blast_radius"]
        assert seen.state is StepState.DONE
        assert status.because == ("B1: an SLO breach is LIKELY",)


async def test_what_the_playbook_reads_anyway_raises_the_severity_and_names_the_rule(tmp_path: Path) -> None:
    """It gets worse while we wait for it to end: seen at the next look, not at the next ten minutes; shown and paged."""
    async with outage(tmp_path, policy=RARELY, fault={"kind": "dependency", "dependency": "cache", "rate": 0.03}) as (stage, incident):
        await incident.hears("phase: Mitigation")
        assert (await incident.status()).severity is Severity.SEV2
        await makes(stage, "service-faults", service="api", kind="region", rate=0.9)
        line = await incident.hears("severity: SEV-2 → SEV-1", skip=MINUTE)
        # Which of the two it is depends on how much of the last minute the look sees.
        rules = ("A3: global 5xx is above 50% for 300 s", "A4: at least 2 regions are in major degradation")
        assert line.removeprefix("severity: SEV-2 → SEV-1: ") in rules, story(await incident.timeline())
        assert (await incident.status()).because[0] in rules
        await incident.hears("severity raised")


async def test_an_alert_that_joins_has_the_severity_judged_at_once(tmp_path: Path) -> None:
    """Nothing else is read meanwhile: the incident waits for an answer, and looks at the impact again only after some minutes."""
    async with outage(tmp_path, policy=RARELY, error_rate=0.04) as (stage, incident):
        await incident.question("Roll api back")
        await incident.pass_time(timedelta(seconds=70))
        assert (await incident.status()).severity is Severity.SEV2
        await makes(stage, "service-faults", service="api", kind="region", rate=0.9)
        await incident.pass_time(timedelta(minutes=3))
        assert (await incident.status()).severity is Severity.SEV2, "nobody has looked"
        key = (await incident.status()).dedup_key
        await incident.handle.execute_update("alert", {"delivery": "d-2", "dedup_key": key, "status": "firing", "name": "ApiErrors"})
        await incident.hears("severity: SEV-2 → SEV-1", skip=timedelta(seconds=1))
