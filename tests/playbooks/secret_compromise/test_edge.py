"""§2.10 at the edge: a wave of tried passwords, alone or beside a stolen key; nobody else is hit without a person's word."""

from pathlib import Path

from practice.signin.model import ATTACKERS, DENIED, OFFICES, SignIn
from tests.playbooks.secret_compromise.stolen import ends, of, quick, stolen
from tests.stage.drill import Drill
from tests.stage.outages import story
from workflows.incident import Phase, State

WAVE = {"stuffing": True}
STUFFING = {"pattern": "stuffing"}


def edge(stage: Drill) -> SignIn:
    return stage.world.state.part(SignIn)


def let_in(stage: Drill, address: str) -> bool:
    return edge(stage).decided(address)[0]


async def test_a_wave_of_tried_passwords_is_denied_at_the_edge_and_users_go_on(tmp_path: Path) -> None:
    """First in preview, then enforced: it hit nobody else, and nobody was asked."""
    async with stolen(tmp_path, "", thief=False, dials=WAVE, labels=STUFFING) as (stage, incident):
        await incident.hears("requests of the attack were denied, none got in")
        assert not any(let_in(stage, one) for one in ATTACKERS) and all(let_in(stage, one) for one in OFFICES)
        done = [row.verb for row in incident.book() if row.outcome == "done"]
        assert done.count("waf.deny") == 2, "in preview, then enforced"
        assert not any("at the edge" in q.asks for q in (await incident.status()).questions)
        assert all(one.revoked is None for one in of(stage).keys.values())


async def test_a_wave_beside_a_stolen_key_is_found_by_what_the_edge_has_seen(tmp_path: Path) -> None:
    """No alert has said so. The key is revoked first all the same, and both end."""
    async with stolen(tmp_path, "export", dials=WAVE) as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        said = story(await incident.timeline())
        assert "passwords are tried by the thousand" in said and of(stage).keys["exp-1"].revoked is not None
        assert not any(let_in(stage, one) for one in ATTACKERS)
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())


async def test_where_users_come_by_an_address_of_the_wave_people_see_the_number_and_decide(tmp_path: Path) -> None:
    async with stolen(tmp_path, "", thief=False, dials=WAVE, at_edge={"shared": True}, labels=STUFFING) as (stage, incident):
        await incident.commanded()
        question = await incident.question("at the edge")
        assert any("requests of others" in fact for fact in question.facts) and let_in(stage, ATTACKERS[0])
        await incident.answer("at the edge", "decline", by="sam")
        await incident.hears("stays in preview")
        assert let_in(stage, ATTACKERS[0]) and any("at the edge" in task.text for task in (await incident.status()).tasks)


async def test_a_thief_who_comes_by_the_edge_is_denied_by_the_key_also_where_its_issuer_lies(tmp_path: Path) -> None:
    """An issuer that says revoked and lets it in: the key gets no further than the edge."""
    async with stolen(tmp_path, "export", dials={"lies": ["exp-1"]}, at_edge={"by_edge": True}) as (stage, incident):
        await incident.hears("requests of the attack were denied, none got in")
        assert not edge(stage).decided("198.51.100.66", "exp-1")[0] and let_in(stage, "198.51.100.66")


async def test_an_address_of_the_wave_is_taken_off_the_allow_list_and_the_partners_stay(tmp_path: Path) -> None:
    listed = {"listed": [f"{ATTACKERS[0]}/32"]}
    async with stolen(tmp_path, "", thief=False, dials=WAVE, at_edge=listed, labels=STUFFING) as (stage, incident):
        before = [one for one in edge(stage).rules[100].addresses if not one.startswith(ATTACKERS[0])]
        await incident.hears("requests of the attack were denied, none got in")
        assert edge(stage).rules[100].addresses == before and not let_in(stage, ATTACKERS[0])


async def test_an_edge_that_says_nothing_is_a_persons_and_nothing_is_denied(tmp_path: Path) -> None:
    async with stolen(tmp_path, "export", dials=WAVE, at_edge={"unlogged": True}) as (stage, incident):
        status = await ends(stage, incident, until=Phase.RECOVERY)
        assert any(task.text.startswith("Deny what attacks by it") for task in status.tasks)
        assert not any(row.outcome == DENIED for row in edge(stage).seen)


async def test_by_cloud_armor(tmp_path: Path) -> None:
    policy = '\n[policy.systems]\nwaf = "cloud armor"\n'
    async with stolen(tmp_path, "", thief=False, dials=WAVE, labels=STUFFING, policy=quick(more=policy), cloud_armor_project="acme") as (
        stage,
        incident,
    ):
        await incident.hears("requests of the attack were denied, none got in")
        assert not any(let_in(stage, one) for one in ATTACKERS) and all(let_in(stage, one) for one in OFFICES)
