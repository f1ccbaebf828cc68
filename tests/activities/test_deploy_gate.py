"""The deploy gate, against GitHub's own habits: a lock counts when a deploy was turned away."""

import asyncio
import os
from dataclasses import replace
from typing import Any

import pytest

from activities.action import NotYet, Refused
from activities.freeze.deploy_gate import (
    DeployGate,
    DriftSince,
    GateOf,
    LockGate,
    ProbeGate,
    UnlockGate,
    holders_in,
    hotfix,
    title,
)
from activities.organisation.catalogue import Deployed
from activities.tickets.github import Repositories
from practice.services.repositories import Commit, Repository, founded
from practice.world.world import World
from tests.activities.conftest import INCIDENT, PATIENCE, MakeCall, MakeClient, effects, granted, inject, until_done

API = Deployed(name="api", platform="cloud_run", regions=("eu-west", "us-east"), repository="acme/api")
DIGEST = "sha256:" + "0a1b2c3d4e5f" * 5 + "0000"
MISHAPS: list[tuple[str, dict[str, Any]]] = [
    ("fail", {"times": 2}),
    ("commit_then_drop", {"times": 1}),
    ("nothing_changed", {"times": 1}),
    ("partial", {"times": 1}),
    ("throttle", {"times": 2}),
    ("hang", {"times": 1}),
]
LOCK = LockGate(service=API, holders=(INCIDENT,))
UNLOCK = UnlockGate(service=API)
PROBE = ProbeGate(service=API)


@pytest.fixture
def gate(door: MakeClient, world: World) -> DeployGate:
    """The adapter; its client gives up after half a second."""
    world.state.repositories["acme/api"] = founded("acme/api", "2026-11-23T10:00:00.000Z")
    return DeployGate(Repositories(door("/github", timeout=PATIENCE)))


def repository(world: World) -> Repository:
    return world.state.repositories["acme/api"]


def push(world: World, message: str, branch: str = "main") -> str:
    """Somebody's commit, on a branch."""
    found, author = repository(world), {"name": "ada", "email": "ada@example.com", "date": "2026-11-23T11:00:00Z"}
    sha = found.add(Commit("f" * 40, message, [found.heads["main"]], author, author))
    found.heads[branch] = sha
    return sha


def deploys(world: World) -> list[str]:
    return [change.what for change in world.state.fleet.changes if "commit" in change.details]


async def test_a_locked_gate_is_read_back_and_turns_a_deploy_away(world: World, gate: DeployGate, call: MakeCall) -> None:
    before = await gate.read(GateOf(service=API), call())
    assert (before.locked, before.holders, before.head) == (False, (), repository(world).heads["main"])
    locked = await gate.lock(LOCK, call(key="lock"))
    assert not locked.adopted and "name ruleset" in locked.proven_by
    probed = await gate.probe(PROBE, call(key="probe"))
    assert "GitHub refused the push" in probed.proven_by
    after = await gate.read(GateOf(service=API), call())
    assert (after.locked, after.holders, after.head) == (True, (INCIDENT,), before.head)
    assert deploys(world) == []
    (ruleset,) = repository(world).rulesets.values()
    assert ruleset.name == f"change-freeze api: {INCIDENT}" and not ruleset.bypass_actors


async def test_an_unlocked_gate_lets_the_next_deploy_through(world: World, gate: DeployGate, call: MakeCall) -> None:
    await gate.lock(LOCK, call())
    opened = call()
    effect = await gate.unlock(UNLOCK, granted(DeployGate.unlock, UNLOCK, opened))
    assert not effect.adopted and not repository(world).rulesets
    with pytest.raises(Refused, match="not probed"):
        await gate.probe(PROBE, call())  # it would only deploy
    assert (await gate.unlock(UNLOCK, granted(DeployGate.unlock, UNLOCK, opened))).adopted


async def test_opening_the_gate_needs_a_persons_word(gate: DeployGate, call: MakeCall) -> None:
    with pytest.raises(Refused, match="needs an approval"):
        await gate.unlock(UNLOCK, call())
    with pytest.raises(Refused, match="needs an approval"):
        await gate.lock(LockGate(service=API, holders=(INCIDENT,), exempted=(DIGEST,)), call())


@pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
async def test_whatever_happens_to_a_lock_there_is_one(
    world: World, gate: DeployGate, call: MakeCall, mode: str, settings: dict[str, Any]
) -> None:
    inject(world, "github.rulesets.create", mode, **settings)
    made = call()
    effect, broke = await until_done(lambda: gate.lock(LOCK, made))
    assert broke and effect.adopted == (mode in ("commit_then_drop", "partial"))
    assert len(repository(world).rulesets) == len(effects(world, "github.rulesets")) == 1


@pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
async def test_whatever_happens_to_an_unlock_nothing_is_left(
    world: World, gate: DeployGate, call: MakeCall, mode: str, settings: dict[str, Any]
) -> None:
    await gate.lock(LOCK, call())
    inject(world, "github.rulesets.delete", mode, **settings)
    made = granted(DeployGate.unlock, UNLOCK, call())
    effect, broke = await until_done(lambda: gate.unlock(UNLOCK, made))
    assert broke and effect.adopted == (mode in ("commit_then_drop", "partial"))
    assert not repository(world).rulesets and len(effects(world, "github.rulesets.delete")) == 1


@pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
async def test_whatever_happens_to_a_change_of_holders_the_name_says_them(
    world: World, gate: DeployGate, call: MakeCall, mode: str, settings: dict[str, Any]
) -> None:
    await gate.lock(LOCK, call())
    inject(world, "github.rulesets.update", mode, **settings)
    both, made = LockGate(service=API, holders=(INCIDENT, "budget")), call()
    effect, broke = await until_done(lambda: gate.lock(both, made))
    assert broke and effect.after["name"] == f"change-freeze api: {INCIDENT}, budget"
    assert [r.name for r in repository(world).rulesets.values()] == [effect.after["name"]]
    assert len(effects(world, "github.rulesets.update")) == 1


@pytest.mark.parametrize("mode", ["fail", "throttle", "hang"])
@pytest.mark.parametrize("route", ["github.refs.update", "github.commits.create", "github.branches.get"])
async def test_a_probe_that_got_no_answer_is_tried_again(world: World, gate: DeployGate, call: MakeCall, route: str, mode: str) -> None:
    await gate.lock(LOCK, call())
    inject(world, route, mode, times=1)
    made = call(key="probe")
    _, broke = await until_done(lambda: gate.probe(PROBE, made))
    assert len(broke) == 1 and deploys(world) == []
    assert len(effects(world, "github.commits")) == 1, "at one instant the same commit twice is one commit"


async def test_a_commit_whose_reply_was_lost_is_the_same_commit(world: World, gate: DeployGate, call: MakeCall) -> None:
    await gate.lock(LOCK, call())
    inject(world, "github.commits.create", "commit_then_drop", times=1)
    made = call(key="probe")
    await until_done(lambda: gate.probe(PROBE, made))
    assert len(effects(world, "github.commits")) == 1


@pytest.mark.parametrize("lost", [False, True])
async def test_a_probe_that_goes_through_is_said_loudly(world: World, gate: DeployGate, call: MakeCall, lost: bool) -> None:
    await gate.lock(LOCK, call())
    repository(world).lenient = True
    if lost:
        inject(world, "github.refs.update", "commit_then_drop", times=1)
    made = call(key="probe")
    with pytest.raises(Refused, match="NOT FROZEN: the probe deploy went through"):
        await until_done(lambda: gate.probe(PROBE, made))
    assert deploys(world) == ["change freeze probe probe (main)"], "once, however often it was tried"


async def test_a_push_that_something_else_stopped_proves_nothing(world: World, gate: DeployGate, call: MakeCall) -> None:
    await gate.lock(LOCK, call())
    inject(world, "github.refs.update", "fail", times=1, status=403)
    with pytest.raises(Refused, match="turned away, but not by the freeze"):
        await gate.probe(PROBE, call())


@pytest.mark.parametrize(
    ("edit", "what"),
    [({"enforcement": "evaluate"}, "no rule of it is in force for main"), ({"exclude": ["refs/heads/main"]}, "no rule of it"),
     ({"rules": [{"type": "update"}]}, "hotfix/not-exempted.*creation|creation")],
)  # fmt: skip
async def test_a_gate_that_does_not_even_look_locked_is_not_probed(
    world: World, gate: DeployGate, call: MakeCall, edit: dict[str, Any], what: str
) -> None:
    await gate.lock(LOCK, call())
    (ruleset,) = repository(world).rulesets.values()
    for name, value in edit.items():
        setattr(ruleset, name, value)
    with pytest.raises(Refused, match=what):
        await gate.probe(PROBE, call())
    assert not effects(world, "github.commits")
    assert not (await gate.read(GateOf(service=API), call())).locked
    assert not (await gate.lock(LOCK, call())).adopted, "what somebody loosened is tightened again"
    await gate.probe(PROBE, call())


async def test_nobody_may_bypass_a_freeze(world: World, gate: DeployGate, call: MakeCall) -> None:
    await gate.lock(LOCK, call())
    (ruleset,) = repository(world).rulesets.values()
    ruleset.bypass_actors = [{"actor_type": "OrganizationAdmin", "bypass_mode": "always"}]
    assert not (await gate.read(GateOf(service=API), call())).locked
    assert not (await gate.lock(LOCK, call())).adopted and not ruleset.bypass_actors


async def test_a_stale_answer_is_no_proof(world: World, gate: DeployGate, call: MakeCall) -> None:
    inject(world, "github.rules.branch", "stale_read", times=2)
    made = call()
    effect, broke = await until_done(lambda: gate.lock(LOCK, made))
    assert [type(e) for e in broke] == [NotYet] and effect.adopted
    assert len(effects(world, "github.rulesets")) == 1


async def test_an_exemption_is_one_branch_and_no_other(world: World, gate: DeployGate, call: MakeCall) -> None:
    order, made = LockGate(service=API, holders=(INCIDENT,), exempted=(DIGEST,)), call()
    await gate.lock(order, granted(DeployGate.lock, order, made))
    assert hotfix(DIGEST) == "hotfix/0a1b2c3d4e5f"
    found = await gate.read(GateOf(service=API), call())
    assert found.locked and found.exempted == ("hotfix/0a1b2c3d4e5f",)
    rules = {branch: len(repository(world).rules(branch)) for branch in ("main", hotfix(DIGEST), "hotfix/other", "hotfix/a/b", "topic")}
    assert rules == {"main": 2, hotfix(DIGEST): 0, "hotfix/other": 2, "hotfix/a/b": 2, "topic": 0}
    assert not (await gate.lock(LOCK, call())).adopted
    assert not (await gate.read(GateOf(service=API), call())).exempted


async def test_two_services_of_one_repository_do_not_unlock_each_other(world: World, gate: DeployGate, call: MakeCall) -> None:
    services = world.state.fleet.services
    services["api-web"] = replace(services["api"], name="api-web")
    web = API.model_copy(update={"name": "api-web"})
    await gate.lock(LOCK, call())
    await gate.lock(LockGate(service=web, holders=("budget",)), call())
    await gate.unlock(UNLOCK, granted(DeployGate.unlock, UNLOCK, call()))
    assert [r.name for r in repository(world).rulesets.values()] == ["change-freeze api-web: budget"]
    effect = await gate.unlock(UNLOCK, granted(DeployGate.unlock, UNLOCK, call()))
    assert "rules of acme/api still hold pushes back" in effect.summary


async def test_a_second_ruleset_of_ours_is_put_away(world: World, gate: DeployGate, call: MakeCall) -> None:
    await gate.lock(LOCK, call())
    (ruleset,) = repository(world).rulesets.values()
    by_hand = type(ruleset)(**{**vars(ruleset), "id": 999, "name": "change-freeze api: dana"})
    repository(world).rulesets[999] = by_hand
    assert (await gate.read(GateOf(service=API), call())).holders == (INCIDENT, "dana")
    await gate.lock(LockGate(service=API, holders=(INCIDENT, "dana")), call())
    assert [r.name for r in repository(world).rulesets.values()] == [f"change-freeze api: {INCIDENT}, dana"]


async def test_what_was_deployed_past_the_freeze_is_found(world: World, gate: DeployGate, call: MakeCall) -> None:
    before = await gate.read(GateOf(service=API), call())
    since = DriftSince(service=API, head=before.head, hotfixes=before.hotfixes, exempted=(DIGEST,))
    assert (await gate.drift(since, call())).deploys == ()
    sha, past = push(world, "urgent!!!"), push(world, "sneaky", "hotfix/123456")
    push(world, "allowed", hotfix(DIGEST))
    drift = (await gate.drift(since, call())).deploys
    assert drift == (f"main {sha[:12]} by ada at 2026-11-23T11:00:00Z: urgent!!!", f"hotfix/123456 moved to {past[:12]}")


async def test_a_rewritten_branch_is_drift(world: World, gate: DeployGate, call: MakeCall) -> None:
    (drift,) = (await gate.drift(DriftSince(service=API, head="0" * 40), call())).deploys
    assert drift.startswith("main was rewritten")


async def test_a_service_without_a_repository_cannot_be_frozen(gate: DeployGate, call: MakeCall) -> None:
    nowhere = API.model_copy(update={"repository": ""})
    with pytest.raises(Refused, match="no repository in the organisation's catalogue"):
        await gate.lock(LockGate(service=nowhere, holders=(INCIDENT,)), call())
    unknown = API.model_copy(update={"repository": "acme/nothing"})
    with pytest.raises(Refused, match="404"):
        await gate.read(GateOf(service=unknown), call())


async def test_a_rate_limit_is_waited_for(world: World, gate: DeployGate, call: MakeCall) -> None:
    inject(world, "github.rulesets.list", "throttle", times=1)
    with pytest.raises(NotYet):
        await gate.read(GateOf(service=API), call())


async def test_by_hand_does_the_same(world: World, gate: DeployGate, call: MakeCall, practice_url: str) -> None:
    async def by_hand(lines: tuple[str, ...]) -> None:
        script = "\n".join(lines).replace("https://api.github.com", f"{practice_url}/github")
        shell = await asyncio.create_subprocess_exec("bash", "-ec", script, env={**os.environ, "GITHUB_TOKEN": "practice-token"})
        assert await shell.wait() == 0

    await by_hand(LOCK.by_hand())
    assert (await gate.lock(LOCK, call())).adopted
    await by_hand(UNLOCK.by_hand())
    assert (await gate.unlock(UNLOCK, granted(DeployGate.unlock, UNLOCK, call()))).adopted


def test_a_ruleset_is_named_after_its_holders() -> None:
    assert title("api", ("inc-1", "budget")) == "change-freeze api: inc-1, budget"
    many = tuple(f"inc-20261123-out-api-{n}" for n in range(9))
    assert len(title("api", many)) <= 100 and title("api", many).endswith(" +6")
    assert holders_in(title("api", many)) == many[:3]
