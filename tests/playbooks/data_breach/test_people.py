"""§2.4: who may know, who decides, and what happens when nobody answers."""

from pathlib import Path

from practice.intrusion.cast import REPORTER
from tests.playbooks.data_breach.breached import breached, ends, hears, of, quick
from tests.stage.outages import story
from workflows.incident import Phase


async def test_whoever_has_to_do_with_it_or_is_unknown_leaves_the_room(tmp_path: Path) -> None:
    """Conflict check: the owner of the identity is in the private room, and may approve nothing."""
    async with breached(tmp_path) as (stage, incident):
        of(stage).identities["svc-export"].owner = "noor"
        assert "1 of them have to do with it" in await hears(incident, "conflict check:")
        await hears(incident, "Take noor out of the private room")
        assert "noor may not approve here" in story(await incident.timeline())


async def test_where_legal_is_not_reached_an_executive_and_outside_counsel_are_called_and_the_clocks_run(tmp_path: Path) -> None:
    async with breached(tmp_path) as (stage, incident):
        await hears(incident, "Legal has not taken the clocks over within 30 minutes", {"Legal: have you": ""}, skip=120)
        status = await incident.status()
        assert any(task.text.startswith("Call outside counsel by its rota") and task.owner == "duty_executive" for task in status.tasks)
        inbox = (await stage.http.get("/practice/inbox/pat")).json()["inbox"]
        assert any(one["via"] == "page" and "Legal has not taken" in str(one["text"]) for one in inbox), inbox
        assert any(line.startswith("clocks: the legal clocks of") for line in await incident.timeline())


async def test_without_an_answer_only_the_worst_asset_is_cut_off(tmp_path: Path) -> None:
    """C2 for more than one; silence leaves the others in the network, and says so."""
    async with breached(tmp_path, labels={"identities": REPORTER}) as (stage, incident):
        of(stage).identities[REPORTER].asset = "orchestrator"
        await hears(incident, "orchestrator stays in the network: nobody answered", {"The network of orchestrator": ""}, skip=240)
        assert [row.target for row in incident.done("network.isolate")] == ["asset/api"]


async def test_a_no_to_all_at_once_goes_class_by_class_and_what_is_left_brings_another_back(tmp_path: Path) -> None:
    """The twist: while the scheduled job works, each that is switched off comes back. All at once ends it."""
    async with breached(tmp_path, policy=quick()) as (stage, incident):
        await hears(incident, "3 of 3 evicted", {"all at once?": "decline"})
        status = await ends(stage, incident, until=Phase.RECOVERY)
        asked = [one.asks for one in status.questions if "footholds" in one.asks]
        assert asked[:2] == ["Evict 3 footholds all at once?", "Evict 3 footholds one after the other?"], asked
        assert asked[2] == "Evict 2 footholds all at once?" and len(of(stage).footholds) == 5, asked
        assert not any(one.state.enabled for one in of(stage).footholds.values())


async def test_an_eviction_that_both_decline_is_done_by_nobody_but_people(tmp_path: Path) -> None:
    async with breached(tmp_path) as (stage, incident):
        await hears(
            incident, "Switch the OAuth app report-helper-1 off, and keep it: its eviction was declined", {"Evict 3 footholds": "decline"}
        )
        assert not incident.done("footholds.evict") and all(one.state.enabled for one in of(stage).footholds.values())


async def test_the_letter_goes_to_whom_we_process_for_in_words_that_two_have_agreed_to(tmp_path: Path) -> None:
    async with breached(tmp_path) as (stage, incident):
        await ends(stage, incident, {"send the letter": "approve"}, until=Phase.RECOVERY)
        await hears(incident, "mail.send letter/breach-tenants", {"send the letter": "approve"})
        granted = next(one for one in (await incident.status()).questions if "Send the letter breach-tenants" in one.asks)
        assert {answer.by for answer in granted.answers} == {"lou", "dana"} and "6 recipients" in granted.asks
