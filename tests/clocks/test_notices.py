"""Notices to authorities: drafts filled from the record, signatures for exactly one text, receipts. A person sends them, never we."""

from pathlib import Path
from typing import Any

from activities.action import digest
from activities.clocks.clock import ClockState
from activities.clocks.drafts import draft_of
from tests.clocks.story import story

FACTS: dict[str, Any] = {"data_sets": {"chats": "controller"}, "risk_to_people": "yes", "counts": {"DE": 1200}, "malicious": "yes"}


async def test_a_draft_is_filled_from_the_record_and_says_what_is_not_known(tmp_path: Path) -> None:
    async with story(tmp_path) as clocks:
        began = await clocks.now()
        await clocks.report(personal_data=True, countries=("DE",))
        early = (await clocks.draft("gdpr-33-1", "notification")).text
        assert "5. Persons concerned: number under investigation" in early and "given in phases" in early
        await clocks.assess(**FACTS)
        text = (await clocks.draft("gdpr-33-1", "notification")).text
        assert "5. Persons concerned: DE 1200" in text and "A malicious act is suspected." in text
        assert f"2. We became aware: {began:%Y-%m-%d %H:%M} UTC" in text and "chats: controller" in text
        assert "encryption: under investigation" in text
        assert text == (await clocks.draft("gdpr-33-1", "notification")).text, "the same for the same record"


async def test_a_signature_is_for_exactly_one_text_and_one_list_of_recipients(tmp_path: Path) -> None:
    """A new fact, or another recipient, and it must be signed again."""
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True, countries=("DE",))
        await clocks.assess(**FACTS)
        first = await clocks.draft("gdpr-33-1", "notification")
        told = {"clock": "gdpr-33-1", "stage": "notification", "by": "lou"}
        assert "must be verified" in await clocks.refused("sign", {**told, "digest": first.digest})
        assert "read it again" in await clocks.refused("sign", {**told, "digest": "0" * 64, "code": await clocks.code("lou")})
        assert "a person may send it now" in await clocks.say("sign", digest=first.digest, code=await clocks.code("lou"), **told)
        await clocks.assess(counts={"DE": 1300})
        sent = {**told, "receipt": "DPC-2026-81"}
        refused = await clocks.refused("submitted", {**sent, "code": await clocks.code("lou")})
        assert "changed after it was signed" in refused
        assert (await clocks.clock("gdpr-33-1")).state is ClockState.RUNNING
        second = await clocks.draft("gdpr-33-1", "notification")
        assert second.digest != first.digest
        await clocks.say("sign", digest=second.digest, code=await clocks.code("lou"), **told)
        assert "needed" in await clocks.refused("submitted", {**told, "code": await clocks.code("lou")}), "no receipt"
        await clocks.say("submitted", code=await clocks.code("lou"), **sent)
        stage = (await clocks.clock("gdpr-33-1")).stages[0]
        assert (stage.receipt, stage.digest, stage.unsigned) == ("DPC-2026-81", second.digest, "")
        assert "sent already" in await clocks.refused("submitted", {**sent, "code": await clocks.code("lou")})


async def test_a_letter_to_people_is_signed_by_legal_and_an_executive(tmp_path: Path) -> None:
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True, countries=("DE",))
        await clocks.assess(**FACTS, encrypted="no", high_risk="yes")
        await clocks.assess(by="pat", high_risk="yes")
        draft = await clocks.draft("gdpr-34", "communication")
        told = {"clock": "gdpr-34", "stage": "communication", "digest": draft.digest}
        assert "still to be signed by Duty Executive" in await clocks.say("sign", by="lou", code=await clocks.code("lou"), **told)
        unsigned = {"clock": "gdpr-34", "receipt": "mailing 7", "by": "lou"}
        assert "not signed by Duty Executive" in await clocks.refused("submitted", {**unsigned, "code": await clocks.code("lou")})
        assert "may send it now" in await clocks.say("sign", by="pat", code=await clocks.code("pat"), **told)
        assert "sam may not sign" in await clocks.refused("sign", {**told, "by": "sam"})
        await clocks.say("submitted", code=await clocks.code("lou"), **unsigned)
        assert (await clocks.clock("gdpr-34")).state is ClockState.COMPLETE


async def test_what_was_sent_without_signatures_is_recorded_with_its_reason(tmp_path: Path) -> None:
    """What happened outside is not denied because it should have happened otherwise."""
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True, countries=("DE",))
        await clocks.assess(**FACTS)
        await clocks.pass_(hours=73)
        assert (await clocks.clock("gdpr-33-1")).state is ClockState.MISSED
        said = await clocks.sent("gdpr-33-1", reason="filed by telephone")
        assert "after its deadline" in said
        stage = (await clocks.clock("gdpr-33-1")).stages[0]
        assert stage.unsigned == "not signed by Legal: filed by telephone"


async def test_another_recipient_is_another_draft(tmp_path: Path) -> None:
    """Of the same text."""
    async with story(tmp_path) as clocks:
        await clocks.report(personal_data=True, countries=("DE",))
        state = await clocks.state()
        one = state.clocks["gdpr-33-1"]
        first = draft_of(state, one, "notification")
        assert first.digest != digest({"text": first.text, "whom": one.whom}), "the recipients are in it"
        assert first.digest == digest({"text": first.text, "to": list(first.recipients), "whom": one.whom})
