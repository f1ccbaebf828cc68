"""What is logged, and for how long: proven by an event that arrives, never lowered, and rolled logs are said to have rolled."""

from typing import Any

import pytest

from activities.access.project_policy import ProjectPolicies
from activities.action import Risk, action_of
from activities.audit.google import GoogleAudit
from activities.audit.level import Auditing, AuditLevel, AuditOf, enhance
from activities.audit.own import OwnAuditLog
from activities.kit.words.logging import all_of, is_
from practice.containment.cast import there
from practice.containment.model import Containment, Entry, Log
from practice.containment.simulation import audited
from tests.activities.kit.stage import Stage, attempt, refused, stage, tried

SYSTEMS = {"google": {}, "own": {"audit": "audit log"}}
SINGLE = {"service": "storage.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ", "exemptedMembers": ["user:kim@example.com"]}]}
DAY = 86_400.0


def system(played: Stage, store: str = "google") -> Auditing:
    google = GoogleAudit(ProjectPolicies(played.client("/crm")), played.client("/logging"))
    return Auditing(google if store == "google" else OwnAuditLog(played.client("/audit")))


def found(played: Stage) -> Containment:
    return there(played.world.state, played.world.clock.now())


def log(played: Stage) -> Log:
    return found(played).logs["acme"]


async def given(played: Stage, on: Auditing, store: str = "google", days: int = 400) -> Any:
    order = enhance("acme", days, "a stolen key", systems=SYSTEMS[store])
    return order.given(await attempt(Auditing.read, on, order.look(), played.call()))


async def enhanced(played: Stage, on: Auditing, order: Any, key: str = "k") -> Any:
    return (await tried(Auditing.change, on, order, played.call(key=key)))[0]


@pytest.mark.parametrize("store", SYSTEMS)
async def test_it_is_logged_from_now_on_and_an_event_of_ours_has_arrived(store: str) -> None:
    played = stage()
    on = system(played, store)
    order = await given(played, on, store)
    effect = await enhanced(played, on, order)
    assert "a test event of ours has arrived" in effect.proven_by and audited(played.world.state, "acme")
    assert log(played).level.retention_days == 400
    await tried(Auditing.restore, on, order.undo(), played.call(key="lift"))
    assert not audited(played.world.state, "acme") and log(played).level.retention_days == 30


@pytest.mark.parametrize("store", SYSTEMS)
async def test_an_event_that_does_not_arrive_is_no_proof(store: str) -> None:
    played = stage()
    log(played).deaf = True
    on = system(played, store)
    with pytest.raises(AssertionError, match="a test event of ours has not arrived"):
        await enhanced(played, on, await given(played, on, store))
    log(played).deaf = False
    assert (await enhanced(played, on, await given(played, on, store), "again")).adopted


async def test_a_log_that_takes_what_is_written_and_shows_no_access_is_no_proof() -> None:
    """The entry that we write ourselves arrives also where reading is not logged."""
    played = stage()
    on = system(played)
    order = await given(played, on)
    await enhanced(played, on, order)
    log(played).entries.clear()
    found(played).projects["acme"].audit[0]["auditLogConfigs"] = [{"logType": kind} for kind in ("DATA_READ", "DATA_WRITE")]
    with pytest.raises(AssertionError, match="no access of ours to data shows"):
        await enhanced(played, on, order, "again")


@pytest.mark.parametrize("store", SYSTEMS)
async def test_what_is_kept_longer_is_never_shortened_and_comes_back_as_it_was(store: str) -> None:
    played = stage()
    log(played).level.retention_days = 3000
    on = system(played, store)
    order = await given(played, on, store)
    await enhanced(played, on, order)
    assert log(played).level.retention_days == 3000 and order.met(await attempt(Auditing.read, on, order.look(), played.call()))
    await tried(Auditing.restore, on, order.undo(), played.call(key="lift"))
    assert log(played).level.retention_days == 3000 and not audited(played.world.state, "acme")


async def test_settings_of_single_services_and_of_administration_stay() -> None:
    played = stage()
    whole = {"service": "allServices", "auditLogConfigs": [{"logType": "ADMIN_READ"}]}
    found(played).projects["acme"].audit = [SINGLE, whole]
    bindings = list(found(played).projects["acme"].bindings)
    on = system(played)
    order = await given(played, on)
    await enhanced(played, on, order)
    assert SINGLE in found(played).projects["acme"].audit
    await tried(Auditing.restore, on, order.undo(), played.call(key="lift"))
    assert found(played).projects["acme"].audit == [SINGLE, whole] and found(played).projects["acme"].bindings == bindings


async def test_whoever_is_exempted_from_the_whole_log_is_for_a_person() -> None:
    """We would not know afterwards who they were: no names of people stand in our record."""
    played = stage()
    found(played).projects["acme"].audit = [{**SINGLE, "service": "allServices"}]
    on = system(played)
    why = await refused(lambda: enhanced(played, on, enhance("acme", 400)))
    assert "1 members are exempted" in why and "kim" not in why and not played.effects("crm")


@pytest.mark.parametrize("store", SYSTEMS)
async def test_a_log_that_has_rolled_on_says_since_when_entries_are_there(store: str) -> None:
    played = stage()
    on, now = system(played, store), played.world.clock.now()
    of = enhance("acme", 400, systems=SYSTEMS[store]).look()
    assert (await attempt(Auditing.read, on, of, played.call())).since is None, "nothing is there, so that nobody can say"
    log(played).entries = [Entry(f"e-{days}", "read", now - days * DAY) for days in (90, 40, 3)]
    played.pass_time(30)
    since = (await attempt(Auditing.read, on, of, played.call())).since
    assert since is not None and abs(since.timestamp() - (now - 3 * DAY)) < 1, "what is older than 30 days is gone"


@pytest.mark.parametrize("days", [0, -1, 3651])
async def test_a_retention_that_no_log_takes_is_refused(days: int) -> None:
    played = stage()
    on = system(played)
    assert f"and not for {days}" in await refused(lambda: enhanced(played, on, enhance("acme", days)))
    assert not played.effects("logging")


def test_to_put_it_back_is_asked_of_two_because_what_is_older_is_deleted() -> None:
    order = Auditing.order(AuditOf(scope="acme"), AuditLevel(data_access=True))
    assert action_of(Auditing.restore).risk(order, None) is Risk.C3 and action_of(Auditing.change).risk(order, None) is Risk.C2  # type: ignore[arg-type]
    assert "what is older is deleted" in AuditLevel().back(AuditOf(scope="acme"))


async def test_a_name_is_one_word_of_a_filter() -> None:
    """Whatever stands in a scope, no other entries are asked for by it."""
    hostile = 'x" OR logName:"'
    assert all_of(is_("logName", hostile), is_("a", "b")) == r'logName="x\" OR logName:\"" AND a="b"'
    played = stage()
    of = AuditOf(scope=hostile)
    await refused(lambda: attempt(Auditing.read, system(played), Auditing.look(of), played.call()))
