"""Another key, once: whoever dies where, there are never two that somebody could use, and no value is ever said."""

from datetime import timedelta
from typing import Any

import pytest

from activities.action import NotYet, Refused
from activities.credentials.replacements import Replacements
from tests.activities.credentials.stage import Vaulted, label, vaulted
from tests.activities.kit.stage import attempt, tried

MAKES = {"own": "credentials.keys.make", "openai": "openai.service_accounts.create"}
OF = {"own": "database", "openai": "llm-main"}


def held(stage: Vaulted, secret: str) -> dict[int, str]:
    return {number: one.value for number, one in stage.there.store[secret].items()}


async def minted(stage: Vaulted, name: str, **more: object) -> Any:
    call = stage.stage.call(key="k")
    return await tried(Replacements.create, stage.replacements, await stage.minting(name), call)


@pytest.mark.parametrize("issuer", OF)
async def test_another_key_is_made_kept_and_tried_and_making_it_again_adopts_it(issuer: str) -> None:
    async with vaulted() as stage:
        (effect, _) = await minted(stage, OF[issuer])
        (key,) = stage.living(issuer, label(OF[issuer]))
        one = await stage.credential(OF[issuer])
        assert effect.after == {"key": key.id, "version": len(held(stage, one.secret))} and not effect.adopted
        assert held(stage, one.secret)[effect.after["version"]] == key.value and effect.proven_by.startswith("the new key lets in")
        (again, _) = await minted(stage, OF[issuer])
        assert again.adopted and again.after == effect.after and len(stage.living(issuer, label(OF[issuer]))) == 1
        assert key.value not in repr((effect, again))


@pytest.mark.parametrize("issuer", OF)
@pytest.mark.parametrize("mode", ["fail", "hang", "commit_then_drop", "nothing_changed", "throttle"])
@pytest.mark.parametrize("at", ["issuer", "store"])
async def test_whatever_breaks_there_is_one_that_somebody_could_use(issuer: str, mode: str, at: str) -> None:
    async with vaulted() as stage:
        route = MAKES[issuer] if at == "issuer" else "secretmanager.versions.add"
        stage.stage.inject(route, mode, times=1, **({"retry_after": 7} if mode == "throttle" else {}))
        (effect, _) = await minted(stage, OF[issuer])
        (key,) = stage.living(issuer, label(OF[issuer]))
        one = await stage.credential(OF[issuer])
        assert [n for n, value in held(stage, one.secret).items() if value == key.value] == [effect.after["version"]]


async def test_whoever_dies_between_issuer_and_store_leaves_a_key_that_nobody_has_and_it_goes() -> None:
    """It is found by its label, is in no version, and is revoked before another is made."""
    async with vaulted() as stage:
        stage.stage.inject("secretmanager.versions.add", "fail", times=1)
        order, call = await stage.minting("database"), stage.stage.call(key="k")
        with pytest.raises(Exception, match="UNAVAILABLE") as died:
            await attempt(Replacements.create, stage.replacements, order, call)
        (orphan,) = stage.living("own", label("database"))
        assert orphan.value not in repr(died.value) and orphan.value not in held(stage, "DATABASE_URL").values()
        await tried(Replacements.create, stage.replacements, order, call)
        (key,) = stage.living("own", label("database"))
        assert key.id != orphan.id and stage.there.keys[orphan.id].revoked is not None


async def test_a_late_second_one_is_revoked_when_it_is_seen() -> None:
    """A request of a dead attempt that lands after all: OpenAI takes two of one name."""
    async with vaulted() as stage:
        order, call = await stage.minting("llm-main"), stage.stage.call(key="k")
        (effect, _) = await tried(Replacements.create, stage.replacements, order, call)
        await stage.issuers.of(order.old).make(call, order)
        assert len(stage.living("openai", order.label)) == 2
        (again, _) = await tried(Replacements.create, stage.replacements, order, call)
        (left,) = stage.living("openai", order.label)
        assert left.id == effect.after["key"] == again.after["key"]


async def test_a_late_process_makes_nothing() -> None:
    async with vaulted() as stage:
        over: dict[str, Any] = {"worked": timedelta(seconds=11), "start_to_close_timeout": timedelta(seconds=10)}
        with pytest.raises(NotYet, match="does not write any more"):
            await attempt(Replacements.create, stage.replacements, await stage.minting("database"), stage.stage.call(key="k"), **over)
        assert not stage.living("own", label("database")) and len(held(stage, "DATABASE_URL")) == 3


async def test_without_labels_a_key_that_is_not_in_the_store_may_be_somebody_elses() -> None:
    """Google's keys bear none: nobody's key is revoked on a guess, and no second one is made."""
    async with vaulted() as stage:
        order, call = await stage.minting("deployer"), stage.stage.call(key="k")
        await stage.issuers.of(order.old).make(call, order)  # its value is lost
        with pytest.raises(Refused, match="may be somebody else's"):
            await attempt(Replacements.create, stage.replacements, order, call)
        assert len(stage.living("google")) == 2


async def test_google_keys_are_known_by_the_id_in_their_file() -> None:
    async with vaulted() as stage:
        (effect, _) = await minted(stage, "deployer")
        assert effect.after["version"] == 2 and "its issuer shows it" in effect.proven_by
        (again, _) = await minted(stage, "deployer")
        assert again.adopted and len(stage.living("google")) == 2


async def test_where_only_people_make_keys_none_is_made() -> None:
    async with vaulted() as stage:
        order = (await stage.minting("ci-token")).model_copy(update={"secret": "EXPORT_TOKEN"})
        with pytest.raises(Refused, match="lets only people make keys"):
            await attempt(Replacements.create, stage.replacements, order, stage.stage.call(key="k"))
