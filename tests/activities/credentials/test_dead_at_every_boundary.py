"""A worker dies before or after each single call of a mint or a revocation: another attempt ends with one replacement, and a dead key."""

from collections.abc import Callable
from typing import Any

import pytest

from activities.credentials.issuers import Issuers, KeyRevocations
from activities.credentials.replacements import Replacements
from tests.activities.credentials.stage import Vaulted, label, vaulted
from tests.activities.kit.stage import FollowingClock, attempt, tried

OF = {"own": "database", "openai": "llm-main"}
SECRETS = {"database": "DATABASE_URL", "llm-main": "OPENAI_API_KEY"}
MOST = 60  # calls of one mint


class Died(Exception):
    """The process is gone: whatever it knew is forgotten."""


class Mortal:
    """A client, in a process that dies at its n-th call, before or after it. `counted`: the calls of all clients of that process."""

    def __init__(self, client: Any, counted: list[str], dies_at: int, after: bool) -> None:
        self._client, self._counted, self._dies_at, self._after = client, counted, dies_at, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        async def called(*given: Any) -> Any:
            self._counted.append(name)
            mine = len(self._counted)
            if mine > self._dies_at or (mine == self._dies_at and not self._after):
                raise Died
            answer = await found(*given)
            if mine == self._dies_at:
                raise Died
            return answer

        return called


def mortal(stage: Vaulted, issuer: str, dies_at: int, after: bool) -> tuple[Issuers, Any, list[str]]:
    counted: list[str] = []
    wrapped: Callable[[Any], Any] = lambda client: Mortal(client, counted, dies_at, after)  # noqa: E731
    client = wrapped(stage.issuers._clients[issuer])
    return Issuers({issuer: client}), wrapped(stage.store), counted


@pytest.mark.parametrize("issuer", OF)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_mint_that_dies_at_any_call_ends_with_one_replacement(issuer: str, after: bool) -> None:
    name, at = OF[issuer], 1
    while at < MOST:
        async with vaulted() as stage:
            order, call = await stage.minting(name), stage.stage.call(key="k")
            issuers, store, counted = mortal(stage, issuer, at, after)
            try:
                await attempt(Replacements.create, Replacements(issuers, store, FollowingClock()), order, call)
            except Died:
                pass
            else:
                assert at > len(counted) > 5, "it was told to die at each of its calls"
                return
            await tried(Replacements.create, stage.replacements, order, call)
            (key,) = stage.living(issuer, label(name))
            held = [one for one in stage.there.store[SECRETS[name]].values() if one.value == key.value]
            assert len(held) == 1, f"dead {'after' if after else 'before'} call {at} ({counted[at - 1]})"
        at += 1
    raise AssertionError("it never ended")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_revocation_that_dies_at_any_call_is_done_once(after: bool) -> None:
    for at in range(1, 4):
        async with vaulted() as stage:
            order, call = await stage.revoking("database"), stage.stage.call(key="k")
            issuers, _, _ = mortal(stage, "own", at, after)
            with pytest.raises(Died):
                await attempt(KeyRevocations.create, KeyRevocations(issuers), order, call)
            await tried(KeyRevocations.create, stage.revocations, order, call)
            assert len(stage.stage.effects("credentials.keys.revoke")) == 1 and stage.there.keys["db-3"].revoked is not None
