"""§2.4: whoever has read the data may read our chat too. Then nothing is written there, and what was sent there counts no more."""

from pathlib import Path

from tests.playbooks.data_breach.breached import breached, hears
from tests.stage.outages import makes, story

READS_CHAT = (("footholds", {"kind": "oauth", "reads_chat": True}),)


async def test_once_others_read_our_chat_nothing_is_written_there_and_codes_come_by_page(tmp_path: Path) -> None:
    """An OAuth app that can read chat was left behind. People are asked by page, and answer."""
    async with breached(tmp_path, before=READS_CHAT) as (stage, incident):
        await hears(incident, "out of band:")
        await hears(incident, "4 of 4 evicted, each tried")
        since = next(one["at"] for one in await incident.entries() if one["kind"] == "out of band")
        for person in ("sam", "dana", "lou"):
            inbox = (await stage.http.get(f"/practice/inbox/{person}")).json()["inbox"]
            assert not [one for one in inbox if one["at"] > since and one["via"] == "dm"], inbox
        posted = [one for one in await stage.effects() if one["route"] == "slack.chat.postMessage" and one["world_at"] > since]
        assert not [one for one in posted if "look at your page" not in str(one)][1:], posted
        tasks = [task.text for task in (await incident.status()).tasks]
        assert any(text.startswith("Take the identity provider for compromised") for text in tasks)


async def test_where_people_say_that_chat_is_read_it_is_left_before_anything_is_found(tmp_path: Path) -> None:
    async with breached(tmp_path, labels={"chat": "suspected"}, footholds=[]) as (_, incident):
        assert "our chat may be read by whoever has read the data" in await hears(incident, "out of band:")


async def test_a_code_that_was_sent_by_chat_counts_no_more_once_others_read_it(tmp_path: Path) -> None:
    async with breached(tmp_path, footholds=[]) as (stage, incident):
        await incident.commanded()
        question = await incident.question("Legal: have you")
        old = await stage.code("lou", question.number)
        await makes(stage, "footholds", kind="oauth", reads_chat=True)
        await hears(incident, "out of band:", {"Legal: have you": ""})
        said = await incident.refused("approve", {"question": question.number, "code": old, "reason": "a code that somebody has read"})
        assert "code" in said, said
        fresh = await stage.code("lou", question.number, used=old)
        await incident.say("approve", {"question": question.number, "code": fresh, "reason": "by page"})
        assert "the legal clocks are lou's" in story(await incident.timeline())
