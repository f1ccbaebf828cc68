"""Whatever is sent to the clocks does no harm, and only who may decide, decides."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow

from activities.action import Call, Refused
from activities.clocks.clock import Applies, ClockState
from activities.clocks.orders import ReportExposure
from tests.clocks.story import INCIDENT, story
from tests.stage.running import until
from workflows.clocks.hearing import MESSAGES
from workflows.clocks.legal_clocks import LegalClocks

FORMS: dict[str, tuple[Any, ...]] = {
    "empty": (), "a list": (["assess", 1],), "a number": (7,), "null": (None,), "a wrong type": ({"clock": 5},),
    "an unknown field": ({"by": "lou", "decision": "yes"},), "an extra argument": ({"by": "lou"}, "and more"),
    "a wild clock": ({"clock": "../../etc\n", "by": "lou"},), "a long one": ({"clock": "x" * 5000, "reason": "y" * 50_000},),
    "a forged seal": ({"reason": "x", "key": "k", "seal": "0" * 64},), "a seal of letters": ({"reason": "x", "seal": "ß"},),
    "no time zone": ({"at": "2026-11-27T15:20", "by": "lou", "reason": "x", "event": "aware"},),
    "a wrong code": ({"clock": "gdpr-33-1", "by": "lou", "code": "0-AAAA-AAAA"},),
    "facts of another kind": ({"facts": {"personal_data": "perhaps"}},), "no country": ({"facts": {"countries": ["Atlantis"]}},),
    "a negative count": ({"facts": {"counts": {"US-CA": -1}}},), "a stranger": ({"by": "mallory", "reason": "x"},),
}  # fmt: skip


async def test_nothing_that_is_sent_to_the_clocks_harms_them(tmp_path: Path) -> None:
    """Every signal and every update with every wrong input; then a right one works as if nothing had been."""
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True, countries=("DE",))
        before = await clocks.state()
        for name in (*MESSAGES, "no_such_message"):
            for given in FORMS.values():
                await clocks.handle.signal(name, args=list(given))
        for name in MESSAGES:
            for what, given in FORMS.items():
                assert await clocks.refused(name, *given), f"{name} with {what}"
        sent = len(FORMS) * (len(MESSAGES) + 1)

        async def noted() -> bool:
            return sum(line.startswith("refused: ") for line in await clocks.lines()) >= sent

        await until(noted, f"{sent} refusals")
        after = await clocks.state()
        assert after.facts == before.facts and after.events == before.events and after.why == before.why
        await clocks.assess(risk_to_people="yes")
        assert (await clocks.state()).facts.risk_to_people is True
        await clocks.replayed()


async def test_clocks_started_askew_from_the_temporal_ui_work(tmp_path: Path) -> None:
    """Whose they are, they know by their name."""
    async with story(tmp_path) as clocks:
        for given in ([], ["chat"], [{"kept": 7}], [{"kept": {"incident": 5}}], [1, 2]):
            queue = clocks.stage.settings.queues[0]
            await clocks.stage.env.client.start_workflow("LegalClocks", args=given, id=f"clocks-{INCIDENT}", task_queue=queue)
            assert "run, provisionally" in await clocks.say("report", by="sam", reason="an export was seen")
            state = await clocks.state()
            assert state.incident == INCIDENT and len(state.clocks) > 10
            await clocks.handle.terminate("next")


def test_every_door_of_the_clocks_is_guarded() -> None:
    """Each message is a signal and an update under one name; every update has a validator; everything has a description."""
    defined = workflow._Definition.must_from_class(LegalClocks)
    assert {name for name in defined.signals if name} == set(defined.updates) == set(MESSAGES)
    assert None in defined.signals, "a signal of an unknown name is noted"
    assert all(update.validator for update in defined.updates.values())
    named: list[Any] = [*defined.signals.values(), *defined.updates.values(), *defined.queries.values()]
    assert all(one.description for one in named if one.name)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("assess", {"facts": {"personal_data": "no"}}), ("applies", {"clock": "gdpr-33-5", "applies": "no", "reason": "x"}),
        ("started", {"event": "aware", "at": "2026-11-01T00:00Z", "reason": "x"}), ("sign", {"clock": "gdpr-33-1", "digest": "0" * 64}),
        ("submitted", {"clock": "gdpr-33-5", "receipt": "R", "reason": "x"}),
        ("delay", {"clock": "gdpr-33-5", "reference": "x", "until": "2099-01-01T00:00Z"}),
    ],
)  # fmt: skip
async def test_only_legal_decides(message: str, words: dict[str, Any], tmp_path: Path) -> None:
    """Not the commander, not Security, not automation; an executive only what two decide together."""
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True)
        for by in ("dana", "sam", "noor"):
            assert f"{by} may not" in await clocks.refused(message, {**words, "by": by})
        said = await clocks.refused(message, {**words, "by": "pat"})
        assert any(word in said for word in ("Legal's", "must be verified")), said
        assert (await clocks.clock("gdpr-33-5")).state is ClockState.RUNNING


async def test_where_policy_wants_it_every_decision_takes_a_code(tmp_path: Path) -> None:
    """Codes are good once, and for one person."""
    async with story(tmp_path, policy="verified_from = 2") as clocks:
        await clocks.report()
        told = {"clock": "dora-19", "applies": "no", "reason": "no bank is a client"}
        assert "must be verified" in await clocks.refused("applies", {**told, "by": "lou"})
        code = await clocks.code("lou")
        assert await clocks.say("applies", code=code, **told) == "dora-19: applies: no"
        assert "used already" in await clocks.refused("applies", {**told, "clock": "card-brands", "code": code})
        theirs = await clocks.code("pat")
        assert "pat may not" in await clocks.refused("applies", {**told, "clock": "card-brands", "code": theirs, "by": "lou"})
        assert (await clocks.clock("card-brands")).applies is Applies.UNKNOWN


async def test_legal_is_asked_once_with_a_code_that_answers_the_form(tmp_path: Path) -> None:
    async with story(tmp_path, policy="verified_from = 2") as clocks:
        await clocks.report(personal_data=True)
        asked = await clocks.hears("lou", "Which of them apply?")
        assert "countries" in asked and f"incident clocks assess {INCIDENT}" in asked
        code = await clocks.stage.code("lou", 0)
        assert "countries=('DE',)" in await clocks.say("assess", code=code, facts={"countries": ["DE"]})
        await clocks.pass_(hours=1)
        assert sum("Which of them apply?" in text for text in await clocks.inbox("lou")) == 1


async def test_only_a_worker_of_ours_can_report_without_a_name(tmp_path: Path) -> None:
    """A seal is for the very words; a payload from a history changes nothing a second time."""
    async with story(tmp_path) as clocks:
        await clocks.report(tenants=("acme",))
        order = ReportExposure(incident=INCIDENT, why="of another one", aware_at=await clocks.now())
        signed = clocks.clocks.signed("report", order.request(), INCIDENT, "k1")
        assert "not one of our workers'" in await clocks.refused("report", {**signed, "tenants": ["everybody"]})
        assert "not one of our workers'" in await clocks.refused("report", {**signed, "key": "k2"})
        await clocks.say("report", **signed)
        assert "reported before" in await clocks.say("report", **signed)
        assert (await clocks.state()).why == ("an export was seen", "of another one")
        elsewhere = clocks.clocks.signed("report", order.request(), "inc-20261127-other", "k3")
        assert "not one of our workers'" in await clocks.refused("report", elsewhere)
        with pytest.raises(Refused, match="cannot report for"):
            await clocks.clocks.report(order, Call(incident_id="inc-other", key="k", at=await clocks.now()))


async def test_a_report_whose_reply_was_lost_counts_once(tmp_path: Path) -> None:
    async with story(tmp_path) as clocks:
        await clocks.report(again="the same key")
        await clocks.stage.env.sleep(1)
        assert "reported before" in (await clocks.report(again="the same key")).summary
        assert len((await clocks.state()).events["aware"]) == 1


async def test_each_tenant_has_its_own_clock_by_its_own_contract(tmp_path: Path) -> None:
    """48 h, 4 h, and 24 h where nobody has written anything down; nobody named is a clock too."""
    ours = "[tenants.acme]\nnotice_hours = 48\n[tenants.globex]\nnotice_hours = 4\n[tenants.initech]\n"
    async with story(tmp_path, ours=ours) as clocks:
        await clocks.report(personal_data=True)
        began = (await clocks.state()).events["aware"][0].at
        assert (await clocks.clock("customer-contract/tenants not named yet")).state is ClockState.RUNNING
        await clocks.report(tenants=("acme", "globex", "initech"), aware_at=began)
        state = await clocks.state()

        def hours(id: str) -> float:
            deadline = state.clocks[id].stages[0].deadline
            assert deadline is not None
            return (deadline - began).total_seconds() / 3600

        assert [hours(f"customer-contract/{one}") for one in ("acme", "globex", "initech")] == [48, 4, 24]
        assert [hours(f"gdpr-33-2/{one}") for one in ("acme", "globex", "initech")] == [24, 4, 24], "a contract may only be shorter"
        assert state.clocks["customer-contract/tenants not named yet"].state is ClockState.RUNNING, "Legal says when the list is complete"


async def test_a_contract_counts_from_the_suspicion_or_from_what_is_confirmed(tmp_path: Path) -> None:
    """What Legal confirms later moves no contract that counts from the suspicion; one that counts from there has no deadline before."""
    ours = '[tenants.acme]\nnotice_hours = 48\n[tenants.globex]\nnotice_hours = 4\nstarts = "confirmed"\n'
    async with story(tmp_path, ours=ours) as clocks:
        await clocks.report(personal_data=True, tenants=("acme", "globex"))
        began = (await clocks.state()).events["aware"][0].at

        async def due(id: str) -> datetime | None:
            return (await clocks.clock(id)).stages[0].deadline

        assert await due("customer-contract/acme") == began + timedelta(hours=48)
        assert await due("customer-contract/globex") is None
        waits = (await clocks.clock("customer-contract/globex")).stages[0].counted
        assert waits == "counted from what Legal has confirmed, which has not happened"
        assert await due("gdpr-33-2/globex") == began + timedelta(hours=24), "the law waits for no contract"
        await clocks.pass_(hours=3)
        sure = await clocks.now()
        await clocks.say("started", by="lou", event="aware", at=sure.isoformat(), reason="three records match")
        assert await due("customer-contract/acme") == began + timedelta(hours=48)
        assert await due("customer-contract/globex") == sure + timedelta(hours=4)
        await clocks.say("started", by="lou", event="aware", clock="customer-contract/acme", at=sure.isoformat(), reason="agreed with acme")
        assert await due("customer-contract/acme") == sure + timedelta(hours=48), "but for Legal's word on this very clock"
        await clocks.replayed()


async def test_a_country_without_a_row_is_asked_and_kept(tmp_path: Path) -> None:
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True, countries=("BR", "DE"))
        unlisted = await clocks.clock("unlisted-country/BR")
        assert unlisted.state is ClockState.RUNNING and unlisted.stages[0].deadline
        assert "unlisted-country/DE" not in (await clocks.state()).clocks


async def test_an_ai_hold_stands_until_the_authority_is_informed(tmp_path: Path) -> None:
    ours = "[regimes.ai-act-73]\nin_force_from = 2026-01-01\n"
    async with story(tmp_path, ours=ours) as clocks:
        await clocks.report()
        assert not (await clocks.state()).ai_hold
        await clocks.assess(high_risk_ai="yes", ai_serious_incident="yes", ai_death="no", ai_widespread="no")
        state = await clocks.state()
        assert state.ai_hold and any(line.startswith("AI HOLD") for line in state.lines(await clocks.now()))
        await clocks.sent("ai-act-73", "report")
        assert not (await clocks.state()).ai_hold


async def test_a_broken_file_of_ours_stops_no_clock(tmp_path: Path) -> None:
    async with story(tmp_path, ours="[regimes.gdpr-33-1]\nstages = []\n") as clocks:
        await clocks.report(personal_data=True, countries=("DE",))
        state = await clocks.state()
        assert "our defaults count until then" in state.trouble and state.clocks["gdpr-33-1"].stages[0].deadline is not None
        (tmp_path / "clocks.toml").write_text("")
        await clocks.assess(risk_to_people="yes")
        assert (await clocks.state()).trouble == ""


async def test_a_report_can_only_make_clocks_run(tmp_path: Path) -> None:
    """Whoever reports, even by a seal of ours: a no is Legal's to say."""
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True, countries=("DE",))
        told = {"personal_data": "no", "countries": ["US-CA"], "encrypted": "no", "malicious": "yes"}
        await clocks.say("report", by="sam", reason="as I see it", facts=told)
        facts = (await clocks.state()).facts
        assert (facts.personal_data, facts.encrypted, facts.malicious) == (True, None, True)
        assert facts.countries == ("DE", "US-CA")


async def test_thousands_of_tenants_do_not_break_the_clocks(tmp_path: Path) -> None:
    """What a workflow keeps is bounded: the shortest contracts have clocks of their own, the others one together, by the shortest of theirs."""
    ours = "".join(f"[tenants.t{n}]\nnotice_hours = {2 if n < 150 else 72}\n" for n in range(300))
    async with story(tmp_path, ours=ours) as clocks:
        await clocks.report(tenants=tuple(f"t{n}" for n in range(1900)))
        state = await clocks.state()
        own = [clock for clock in state.clocks.values() if clock.id.startswith("customer-contract/")]
        assert len(own) == 102 and len(state.model_dump_json()) < 1_000_000
        others = state.clocks["customer-contract/the other tenants"].stages[0]
        assert others.deadline is not None and others.deadline == state.events["aware"][0].at + timedelta(hours=2)
        await clocks.assess(personal_data="no")
        assert "at most 60" in await clocks.refused(
            "assess", {"by": "lou", "facts": {"data_sets": {f"d{n}": "unknown" for n in range(99)}}}
        )
