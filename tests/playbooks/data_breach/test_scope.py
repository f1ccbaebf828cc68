"""§2.4: the scope ledger and the clocks that are told of it; and what shows itself while all is quiet."""

import json
import re
from datetime import timedelta
from pathlib import Path

from activities.clocks.orders import workflow_id
from practice.intrusion.model import DataSet
from tests.playbooks.data_breach.breached import breached, ends, hears, of, quick
from tests.stage.outages import makes, story
from workflows.incident import Phase, State


async def test_the_ledger_narrows_only_when_security_and_legal_sign_it(tmp_path: Path) -> None:
    """The log shows less than before: the ledger stays as wide as it was, until two have signed."""
    async with breached(tmp_path, footholds=[]) as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        before = len([one for one in of(stage).reads if one.identity == "svc-export"])
        del of(stage).reads[: len(of(stage).reads) // 2]
        assert before
        status = await ends(stage, incident, {"Narrow it?": "decline"})
        asked = [one for one in status.questions if "Narrow it?" in one.asks]
        assert asked and {role.value for role in asked[0].roles} == {"security_lead", "legal"}, story(await incident.timeline())
        assert "that is no proof that less was read" in asked[0].facts[0]
        assert "was narrowed" not in story(await incident.timeline()) and status.state is State.RESOLVED
        told = [int(found[1]) for line in await incident.timeline() if (found := re.search(r"^scope: conversations .* (\d+) rows", line))]
        assert told and told == sorted(told), "it never says less"


async def test_two_signatures_narrow_it(tmp_path: Path) -> None:
    async with breached(tmp_path, footholds=[]) as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        del of(stage).reads[: len(of(stage).reads) // 2]
        line = await hears(incident, "the scope ledger was narrowed by")
        assert "sam" in line and "lou" in line


async def test_what_is_found_makes_clocks_run_and_never_ends_one(tmp_path: Path) -> None:
    """Health data and card numbers; roles, countries, and counts above 500. What nobody has looked at stays unknown."""
    async with breached(tmp_path, footholds=[]) as (stage, incident):
        of(stage).sets["patients"] = DataSet(
            "patients", ["PHI", "PAN"], "processor", {"US-CA": 900}, ["tenant-01"], readers=["svc-reports"]
        )
        of(stage).sets["conversations"].classes = ["CONTENT", "PHI", "PAN"]
        await hears(incident, "scope: conversations (CONTENT/PHI/PAN")
        await hears(incident, "clocks: the legal clocks of")
        await incident.pass_time(timedelta(minutes=1))
        handle = stage.env.client.get_workflow_handle(workflow_id(incident.id))
        facts = json.loads(json.dumps(await handle.query("state")))["facts"]
        assert facts["phi"] is True and facts["pan"] is True and facts["personal_data"] is True
        assert facts["data_sets"]["conversations"] == "processor" and "unknown" in facts["data_sets"].values()
        assert set(facts["countries"]) == {"DE", "FR", "US-CA"} and facts["counts"] == {"US-CA": 700}


async def test_a_foothold_that_shows_itself_while_all_is_quiet_is_a_relapse(tmp_path: Path) -> None:
    """It opens nothing yet, and is there: mitigation begins once more, and it goes too."""
    async with breached(tmp_path, footholds=["oauth"], policy=quick()) as (stage, incident):
        await hears(incident, "network.rejoin asset/api")
        await makes(stage, "footholds", kind="mail_rule", hidden_for=1.0)
        of(stage).footholds["mail_rule-2"].opens = False
        status = await ends(stage, incident)
        lines = story(await incident.timeline())
        assert "relapse: 1 footholds are there again: mail rule archive-invoices-2" in lines, lines
        assert status.state is State.RESOLVED and not of(stage).footholds["mail_rule-2"].state.enabled
