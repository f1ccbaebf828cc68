"""The lifetime of clocks, as stories: weeks in seconds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowExecutionStatus

from activities.clocks.clock import Applies, ClockState
from tests.clocks.story import NOTHING_ELSE, OURS, story
from tests.stage.running import until

FRIDAY = 4
EEA_CONTROLLER: dict[str, Any] = {"data_sets": {"chats": "controller"}, "risk_to_people": "yes"}


async def test_72_hours_run_over_a_weekend_with_every_alarm_and_are_missed_aloud(tmp_path: Path) -> None:
    """Legal from the first quarter on, executives from three quarters, the CEO's designee at the end; and then again and again."""
    async with story(tmp_path) as clocks:
        began = await clocks.until(FRIDAY, 15, 20)
        await clocks.report(personal_data=True, countries=("DE",), aware_at=began)
        await clocks.assess(**EEA_CONTROLLER)
        gdpr = await clocks.clock("gdpr-33-1")
        assert gdpr.state is ClockState.RUNNING and gdpr.stages[0].deadline == began + timedelta(hours=72)
        assert gdpr.stages[0].outer is not None and gdpr.stages[0].outer.minute == 0, "the legal period begins with the next full hour"
        await clocks.pass_(hours=72, minutes=1)
        assert await clocks.alarms("gdpr-33-1") == [
            ("lou", "25% of the time has passed"), ("lou", "50% of the time has passed"), ("lou, pat", "75% of the time has passed"),
            ("lou, pat, fay", "90% of the time has passed"), ("lou, pat, fay", "4 h left"), ("lou, pat, fay", "1 h left"),
            ("lou, pat, fay", "MISSED"),
        ]  # fmt: skip
        assert (await clocks.clock("gdpr-33-1")).state is ClockState.MISSED
        await clocks.pass_(hours=8, minutes=1)
        assert (await clocks.alarms("gdpr-33-1"))[7:] == [("lou, pat, fay", "STILL MISSED")] * 2
        assert "Reasons for the delay" in (await clocks.draft("gdpr-33-1", "notification")).text
        assert "Reasons for the delay" not in (await clocks.draft("gdpr-33-5", "entry")).text, "that one is not late"
        await clocks.sent("gdpr-33-1", receipt="DPC-2026-81")
        assert (await clocks.clock("gdpr-33-1")).state is ClockState.COMPLETE
        await clocks.pass_(hours=9)
        assert len(await clocks.alarms("gdpr-33-1")) == 9, "what was sent rings no more"
        await clocks.replayed()


async def test_hipaa_runs_for_60_days_and_the_annual_log_into_the_next_year(tmp_path: Path) -> None:
    async with story(tmp_path, ours=f"[profile]\nregistrant = false{NOTHING_ELSE}") as clocks:
        await clocks.report()
        await clocks.assess(personal_data="no", phi="yes", encrypted="no", covered_entity="yes", counts={"US-NY": 120}, countries=["US-NY"])
        await clocks.say(
            "applies", clock="customer-contract/tenants not named yet", applies="no", by="lou", reason="no tenant is concerned"
        )
        people, log = await clocks.clock("hipaa-individuals"), await clocks.clock("hipaa-hhs-small")
        assert people.state is log.state is ClockState.RUNNING
        assert (await clocks.clock("hipaa-hhs-large")).state is ClockState.NOT_APPLICABLE
        began = (await clocks.state()).opened_at
        assert people.stages[0].deadline and log.stages[0].deadline
        assert timedelta(days=60) < people.stages[0].deadline - began <= timedelta(days=61, hours=5)
        assert (log.stages[0].deadline.month, log.stages[0].deadline.year) == (3, began.year + 1)
        await clocks.pass_(days=16)
        assert "25% of the time has passed: hipaa-individuals" in await clocks.hears("lou", "hipaa-individuals"), (
            "a message, no page: it is far"
        )
        await clocks.assess(counts={"US-NY": 620})
        assert (await clocks.clock("hipaa-hhs-large")).state is ClockState.RUNNING, "500 and more: new facts count at once"
        assert (await clocks.clock("hipaa-media")).state is ClockState.RUNNING
        await clocks.pass_(days=46)
        assert (await clocks.clock("hipaa-individuals")).state is ClockState.MISSED
        await clocks.replayed()


async def test_sec_counts_four_federal_business_days_from_what_two_people_have_determined(tmp_path: Path) -> None:
    """Legal's word alone starts the clock, provisionally; an executive's confirms it. A no takes both."""
    async with story(tmp_path, ours="[profile]\nregistrant = true\n") as clocks:
        await clocks.until(2, 16)  # a Wednesday, at noon in Washington
        await clocks.report()
        assert (await clocks.clock("sec-determination")).state is ClockState.PENDING_ASSESSMENT
        assert "waits for Duty Executive" in await clocks.assess(material="no")
        assert (await clocks.clock("sec-8k")).applies is Applies.UNKNOWN, "one no is none"
        await clocks.assess(material="yes")
        filing, now = await clocks.clock("sec-8k"), await clocks.now()
        assert filing.state is ClockState.RUNNING and filing.stages[0].deadline
        assert (filing.stages[0].deadline - now).days in (5, 6), "a weekend lies between"
        assert (await clocks.clock("sec-determination")).state is ClockState.COMPLETE
        first = (await clocks.state()).events["materiality_determined"]
        assert [start.basis for start in first] == ["provisional"]
        assert "waits for" not in await clocks.assess(by="pat", material="yes")
        assert (await clocks.state()).events["materiality_determined"][-1].basis == "confirmed"
        assert "registrant" not in (await clocks.state()).asked
        refused = await clocks.refused("applies", {"clock": "sec-8k", "applies": "no", "by": "lou", "reason": "not material"})
        assert "decide together" in refused
        await clocks.replayed()


async def test_the_register_is_due_five_business_days_later_though_nothing_is_notified(tmp_path: Path) -> None:
    """Over Christmas, by the calendar of England: Art. 33(5) stays when Legal says that no authority is told."""
    async with story(tmp_path, policy='verified_from = 3\ncountry = "GB-ENG"') as clocks:
        began = await clocks.now()
        await clocks.stage.env.sleep(datetime(began.year, 12, 23, 10, tzinfo=UTC) - began)
        await clocks.report(personal_data=True, countries=("IE",))
        await clocks.assess(data_sets={"chats": "controller"}, risk_to_people="no", high_risk="no")
        assert (await clocks.clock("gdpr-33-1")).why == "by the form: risk to people is no"
        entry = await clocks.clock("gdpr-33-5")
        assert entry.state is ClockState.RUNNING
        assert entry.stages[0].deadline == datetime(began.year + 1, 1, 5, tzinfo=UTC), "24:00 of 4 January"
        assert "holidays 0." in entry.stages[0].counted
        await clocks.sent("gdpr-33-5", receipt="register 2026-17", reason="")
        assert (await clocks.clock("gdpr-33-5")).state is ClockState.COMPLETE, "nothing leaves the house: no signature is needed"


async def test_a_delay_needs_a_reference_and_ends(tmp_path: Path) -> None:
    async with story(tmp_path, ours=f"[profile]\nregistrant = true\ncovered_entity = false{NOTHING_ELSE}") as clocks:
        await clocks.until(0, 16)
        await clocks.report()
        await clocks.assess(personal_data="no", phi="no", material="yes")
        await clocks.assess(by="pat", material="yes")
        await clocks.say(
            "applies", clock="customer-contract/tenants not named yet", applies="no", by="lou", reason="no tenant is concerned"
        )
        until_ = await clocks.now() + timedelta(days=20)
        empty = {"clock": "sec-8k", "until": until_.isoformat(), "by": "lou"}
        assert "must be verified" in await clocks.refused("delay", {**empty, "reference": "Attorney General, 2026-11"})
        assert "needs the reference" in await clocks.refused("delay", {**empty, "code": await clocks.code("lou")})
        past = {"clock": "sec-8k", "reference": "AG", "until": "2020-01-01T00:00Z", "by": "lou", "code": await clocks.code("lou")}
        assert "is past" in await clocks.refused("delay", past)
        await clocks.say("delay", **empty, reference="Attorney General, determination of 30 November", code=await clocks.code("lou"))
        assert (await clocks.clock("sec-8k")).state is ClockState.DELAYED
        await clocks.pass_(days=19)
        assert (await clocks.clock("sec-8k")).state is ClockState.DELAYED, "its own deadline has passed meanwhile"
        await clocks.pass_(hours=23, minutes=30)
        assert (await clocks.alarms("sec-8k"))[-1] == ("lou, pat", "1 h left")
        await clocks.pass_(hours=1)
        assert (await clocks.clock("sec-8k")).state is ClockState.MISSED
        await clocks.replayed()


async def test_legal_may_move_a_start_and_the_alarms_follow_the_earlier_one(tmp_path: Path) -> None:
    async with story(tmp_path) as clocks:
        began = await clocks.now()
        await clocks.report(personal_data=True, countries=("DE",))
        await clocks.assess(**EEA_CONTROLLER)
        await clocks.pass_(hours=30)
        later = began + timedelta(hours=24)
        told = {"clock": "gdpr-33-1", "event": "aware", "at": later.isoformat(), "by": "lou"}
        assert "a reason" in await clocks.refused("started", told)
        await clocks.say("started", **told, reason="the first report was about test data")
        stage = (await clocks.clock("gdpr-33-1")).stages[0]
        assert stage.deadline == later + timedelta(hours=72)
        assert stage.alarm_at is not None and stage.alarm_at < stage.deadline - timedelta(hours=23)
        assert (await clocks.clock("gdpr-33-5")).stages[0].alarm_at == (await clocks.clock("gdpr-33-5")).stages[0].deadline, (
            "only this clock was moved"
        )
        await clocks.pass_(hours=43)
        assert (await clocks.alarms("gdpr-33-1"))[-1][1] == "by the first start that was stated the time is over"
        assert (await clocks.clock("gdpr-33-1")).state is ClockState.RUNNING
        await clocks.pass_(hours=24)
        assert (await clocks.clock("gdpr-33-1")).state is ClockState.MISSED


async def test_new_facts_bring_a_clock_back_and_none_is_ended_by_automation(tmp_path: Path) -> None:
    async with story(tmp_path) as clocks:
        await clocks.report(countries=("US-CA",))
        await clocks.assess(personal_data="no")
        assert (await clocks.clock("gdpr-33-5")).state is ClockState.NOT_APPLICABLE
        await clocks.report("names were found in the export", personal_data=True, countries=("FR",))
        assert (await clocks.clock("gdpr-33-5")).state is ClockState.RUNNING
        assert (await clocks.clock("gdpr-33-1")).state is ClockState.PENDING_ASSESSMENT
        state = await clocks.state()
        assert state.facts.countries == ("US-CA", "FR") and len(state.events["aware"]) == 2
        assert "data_sets" in state.asked and "risk_to_people" in state.asked
        await clocks.say("applies", clock="gdpr-33-1", applies="no", by="lou", reason="test data only")
        await clocks.report("more of it", personal_data=True)
        assert (await clocks.clock("gdpr-33-1")).why == "lou: test data only", "Legal's word for a clock stands until Legal takes it back"
        await clocks.say("applies", clock="gdpr-33-1", applies="unknown", by="lou", reason="not only, as it turned out")
        assert (await clocks.clock("gdpr-33-1")).state is ClockState.PENDING_ASSESSMENT


async def test_a_second_stage_is_counted_from_the_first(tmp_path: Path) -> None:
    """NIS2: the final report is due a month after the notification was sent, not after it was due."""
    async with story(tmp_path, ours="[profile]\nnis2_entity = true\n") as clocks:
        began = await clocks.now()
        await clocks.report(malicious=True, personal_data=True)
        nis2 = await clocks.clock("nis2-23")
        assert nis2.state is ClockState.RUNNING and nis2.stages[2].counted == "counted from stage:notification, which has not happened"
        await clocks.sent("nis2-23", "early warning")
        assert (await clocks.clock("nis2-23")).state is ClockState.SUBMITTED
        await clocks.pass_(hours=40)
        await clocks.sent("nis2-23", "notification")
        final = (await clocks.clock("nis2-23")).stages[2].deadline
        assert final and 28 <= (final - began - timedelta(hours=40)).days <= 32
        assert (await clocks.clock("nis2-23")).state is ClockState.SUBMITTED


async def test_finished_clocks_listen_for_new_facts_and_then_end(tmp_path: Path) -> None:
    async with story(tmp_path, ours=OURS + '[regimes.gdpr-33-1]\ntitle = "Art. 33"\n') as clocks:
        await clocks.report()
        for id in (await clocks.state()).clocks:
            if id not in ("sec-8k", "gdpr-34") and not (await clocks.clock(id)).state.over:
                await clocks.say("applies", clock=id, applies="no", by="lou", reason="a drill")
        await clocks.assess(high_risk="no", material="no")
        await clocks.assess(by="pat", high_risk="no", material="no")
        assert all(clock.state.over for clock in (await clocks.state()).clocks.values())
        await clocks.pass_(days=80)
        assert (await clocks.handle.describe()).status is WorkflowExecutionStatus.RUNNING
        await clocks.pass_(days=11)
        await clocks.until_ended()
        assert len((await clocks.state()).clocks) > 10, "they can be read after that"


async def test_a_history_that_begins_anew_keeps_everything(tmp_path: Path) -> None:
    async with story(tmp_path, ours=f"events_per_run = 6\n{OURS}") as clocks:
        await clocks.report(personal_data=True, countries=("DE",), tenants=("acme",))
        first = (await clocks.handle.describe()).run_id
        await clocks.assess(**EEA_CONTROLLER)
        before = await clocks.state()
        await clocks.pass_(hours=60)

        async def renewed() -> bool:
            return (await clocks.handle.describe()).run_id != first

        await until(renewed, "the next run")
        after = await clocks.state()
        assert after.facts == before.facts and after.events == before.events and set(after.clocks) == set(before.clocks)
        assert after.clocks["gdpr-33-1"].stages[0].deadline == before.clocks["gdpr-33-1"].stages[0].deadline
        told = [text for text in await clocks.inbox("lou") if "50% of the time has passed: gdpr-33-1" in text]
        assert len(told) <= 1, "nobody hears the same alarm twice"
        await clocks.replayed()


async def test_cancelled_they_run_all_the_same(tmp_path: Path) -> None:
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True)
        await clocks.handle.cancel()

        async def refused() -> bool:
            return any("cancelled by an operator" in line for line in await clocks.lines())

        await until(refused, "the word that they run on")
        await clocks.pass_(hours=30)
        assert (await clocks.handle.describe()).status is WorkflowExecutionStatus.RUNNING
        assert await clocks.alarms("dora-19")
        await clocks.replayed()


async def test_what_nobody_could_be_told_is_told_again(tmp_path: Path) -> None:
    """Pager and chat are down: the clock says so on every screen, and tries until somebody is reached."""
    async with story(tmp_path, policy="verified_from = 3") as clocks:
        await clocks.report(personal_data=True, countries=("DE",))
        await clocks.assess(**EEA_CONTROLLER)
        await clocks.settled()
        down = clocks.stage.settings.organisation
        whole = down.read_text()
        down.write_text(whole.replace("[people.", "[people.x"))  # the roster names nobody who is Legal any more, but others
        down.write_text("[policy]\n")
        await clocks.pass_(hours=19)
        assert "nobody could be told" in (await clocks.state()).trouble
        down.write_text(whole)
        await clocks.pass_(hours=1)
        assert (await clocks.state()).trouble == ""
        assert (await clocks.alarms("gdpr-33-1"))[0] == ("lou", "25% of the time has passed")


async def test_workers_come_and_go_and_nothing_is_told_twice(tmp_path: Path) -> None:
    """What came due together, before anybody served the clocks, is one alarm, the gravest."""
    async with story(tmp_path) as clocks:
        await clocks.serve(max_cached=0)
        await clocks.report(personal_data=True, countries=("DE",), aware_at=await clocks.now() - timedelta(hours=66))
        await clocks.assess(**EEA_CONTROLLER)
        await clocks.settled()
        told = await clocks.alarms("gdpr-33-1")
        assert told == [("lou, pat, fay", "90% of the time has passed")]
        await clocks.serve(max_cached=0)
        await clocks.pass_(minutes=5)
        assert await clocks.alarms("gdpr-33-1") == told
        await clocks.serve(max_cached=0)
        await clocks.pass_(hours=2)
        assert (await clocks.alarms("gdpr-33-1"))[1:] == [("lou, pat, fay", "4 h left")]
        await clocks.replayed()


async def test_an_alarm_that_reached_nobody_is_sent_again(tmp_path: Path) -> None:
    """Pager and chat refuse whatever is sent: nothing counts as told until somebody was reached."""
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True, countries=("DE",))
        await clocks.assess(**EEA_CONTROLLER)
        await clocks.pass_(hours=17, minutes=50)
        for route in ("slack.*", "pagerduty.*"):
            await clocks.stage.inject(route, "fail", status=403)
        await clocks.pass_(minutes=20)
        assert await clocks.alarms("gdpr-33-1") == [] and "nobody could be told" in (await clocks.state()).trouble
        await clocks.stage.stop_injecting()
        await clocks.pass_(minutes=30)
        assert await clocks.alarms("gdpr-33-1") == [("lou", "25% of the time has passed")]
