"""An advisory by several sources: what each says, who is silent, and where they differ."""

import pytest

from activities.action import Call, Refused
from activities.advisories.advisories import Advisories, AdvisoryOf, OpenAlerts
from activities.advisories.exploited import Epss, Kev
from activities.advisories.github import GitHubAdvisories
from activities.advisories.osv import Osv
from activities.organisation.catalogue import Deployed
from practice.supply.faults import CVE, GHSA, IOC, MAL, begin
from tests.activities.kit.stage import Stage, stage

API = Deployed(name="api", platform="cloud_run", regions=("eu-west", "us-east"), repository="acme/api")


@pytest.fixture
def played() -> Stage:
    return stage()


@pytest.fixture
def advisories(played: Stage) -> Advisories:
    osv, github = Osv(played.client("/osv")), GitHubAdvisories(played.client("/github"))
    return Advisories(osv, github, Kev(played.client("/exploited/feeds")), Epss(played.client("/exploited")))


def call(played: Stage) -> Call:
    return played.call()


async def test_four_sources_make_one_advisory(played: Stage, advisories: Advisories) -> None:
    begin(played.world, "vulnerable").kev_due = "2026-12-14"
    found = await advisories.read(AdvisoryOf(id=GHSA), call(played))
    assert (found.cve, found.cvss, found.epss, found.kev, found.due) == (CVE, 9.8, 0.42, True, "2026-12-14")
    assert found.packages[0].fixed == ("2.3.4",) and not found.unknown and not found.differ and not found.malicious


async def test_the_catalogue_is_read_again_when_it_has_changed(played: Stage, advisories: Advisories) -> None:
    one = begin(played.world, "vulnerable")
    assert (await advisories.read(AdvisoryOf(id=GHSA), call(played))).kev is False
    one.kev_due = "2026-12-14"
    assert (await advisories.read(AdvisoryOf(id=GHSA), call(played))).kev is True


@pytest.mark.parametrize(
    ("route", "said"), [("exploited.kev", "CISA's catalogue"), ("exploited.epss", "EPSS"), ("github.advisories.get", "GitHub's advisories")]
)
async def test_a_source_that_is_away_is_unknown_and_holds_up_nobody(played: Stage, advisories: Advisories, route: str, said: str) -> None:
    begin(played.world, "vulnerable")
    played.inject(route, "fail")
    found = await advisories.read(AdvisoryOf(id=GHSA), call(played))
    assert len(found.unknown) == 1 and said in found.unknown[0] and found.cvss == 9.8
    assert (found.kev is None) == (route == "exploited.kev")


async def test_sources_that_differ_are_both_said(played: Stage, advisories: Advisories) -> None:
    begin(played.world, "vulnerable").reviewed = "2.3.5"
    found = await advisories.read(AdvisoryOf(id=GHSA), call(played))
    assert found.differ == ("fixed in 2.3.4 at OSV, in 2.3.5 at GitHub",)


async def test_one_that_was_withdrawn_says_so(played: Stage, advisories: Advisories) -> None:
    begin(played.world, "vulnerable").record["withdrawn"] = "2026-11-29T00:00:00Z"
    found = await advisories.read(AdvisoryOf(id=GHSA), call(played))
    assert found.withdrawn is not None and "withdrawn 2026-11-29" in found.in_words


async def test_a_malicious_release_has_its_hosts(played: Stage, advisories: Advisories) -> None:
    begin(played.world, "malicious")
    found = await advisories.read(AdvisoryOf(id=MAL), call(played))
    assert found.malicious and found.iocs == (IOC,) and found.high and found.packages[0].versions == ("1.8.1",)


async def test_one_that_the_database_does_not_have_is_refused(played: Stage, advisories: Advisories) -> None:
    with pytest.raises(Refused, match="OSV has no advisory CVE-2000-1"):
        await advisories.read(AdvisoryOf(id="CVE-2000-1"), call(played))


async def test_dependabot_says_what_is_open(played: Stage, advisories: Advisories) -> None:
    assert (await advisories.open_alerts(OpenAlerts(service=API), call(played))).alerts == ()
    begin(played.world, "vulnerable")
    (found,) = (await advisories.open_alerts(OpenAlerts(service=API), call(played))).alerts
    assert (found.advisory, found.package, found.patched) == (GHSA, "quickyaml", "2.3.4")


@pytest.mark.parametrize(("kev", "epss", "high"), [("", 0.02, False), ("2026-12-14", 0.02, True), ("", 0.1, True)])
async def test_a_low_score_is_high_when_it_is_exploited_or_likely_to_be(
    played: Stage, advisories: Advisories, kev: str, epss: float, high: bool
) -> None:
    one = begin(played.world, "vulnerable")
    one.kev_due, one.epss = kev, epss
    one.record["severity"] = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}]
    assert (await advisories.read(AdvisoryOf(id=GHSA), call(played))).high is high
