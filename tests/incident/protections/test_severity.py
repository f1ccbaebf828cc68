"""Automation raises the severity and never lowers it (INV-10): what the rules say now is shown to whoever may."""

from pathlib import Path

from tests.stage.drill import drill
from tests.stage.outages import makes, passes, quick, story
from workflows.incident import SEV1


async def test_automation_never_lowers_the_severity_and_says_what_it_would_be(tmp_path: Path) -> None:
    """A person declared SEV-1; what is measured is less."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "service-faults", service="api", kind="region", rate=0.04)
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api", severity=1)
        await incident.hears("phase: Mitigation")
        status = await incident.status()
        lines = await incident.timeline()
        assert (status.severity, status.peak_severity) == (SEV1, SEV1), story(lines)
        assert any(said.startswith("by what is measured now it would be SEV-") for said in status.because), status.because
        assert not [line for line in lines if line.startswith("severity: ")]
