"""Patroni and Cloud SQL by their wire formats, on the practice platform: who leads, pausing, promoting, and what they say no to."""

from datetime import timedelta

import pytest
from httpx import HTTPStatusError

from activities.action import Refused
from activities.databases.platforms.cloud_sql import CloudSql
from activities.databases.platforms.patroni import Patroni
from activities.databases.system import patroni_auth
from activities.kit.http import Conflict, HttpClient
from activities.kit.operation import At
from practice.databases.cluster import Cluster, Databases
from practice.http.face import TOKEN
from tests.activities.kit.stage import Stage, stage

NODES = {name: name for name in ("db-1", "db-2", "db-3")}


def patroni(played: Stage) -> Patroni:
    signed_in = HttpClient("http://practice/patroni", {}, transport=played._transport, auth=patroni_auth("incident", TOKEN))
    return Patroni([HttpClient("http://127.0.0.1:1", {}, timeout=1.0), signed_in])


def cloud_sql(played: Stage) -> CloudSql:
    return CloudSql(played.client("/sqladmin"), "acme", NODES)


def cluster(played: Stage) -> Cluster:
    return played.world.state.part(Databases).clusters["main"]


async def test_patroni_is_asked_of_a_node_that_answers_and_paused_by_its_configuration() -> None:
    """The first node of its list is dead."""
    played = stage()
    manager = patroni(played)
    assert (await manager.state(played.call())).leader == "db-1"
    await manager.pause(played.call(), True)
    assert (await manager.state(played.call())).paused and cluster(played).ha.paused
    await manager.pause(played.call(), False)
    assert not cluster(played).ha.paused


async def test_patroni_takes_a_name_and_a_password_and_no_token() -> None:
    played = stage()
    with pytest.raises(Refused, match="not authenticated"):
        await Patroni([played.client("/patroni")]).pause(played.call(), True)
    assert not cluster(played).ha.paused


async def test_a_late_copy_of_a_promotion_moves_nobody() -> None:
    played = stage()
    manager, call, before = patroni(played), played.call(), cluster(played).nodes["db-3"].timeline
    await manager.promote(call, "db-3")
    with pytest.raises(HTTPStatusError):
        await manager.promote(call, "db-3")
    assert [node.name for node in cluster(played).writers] == ["db-3"] and cluster(played).nodes["db-3"].timeline == before + 1


async def test_patroni_promotes_the_very_candidate_and_is_looked_at_first() -> None:
    played = stage()
    manager, call = patroni(played), played.call()
    cluster(played).nodes["db-1"].up = False
    assert await manager.promoted(call, "db-3") is None
    id = await manager.promote(call, "db-3")
    assert (await manager.progress(call, id)).at is At.DONE
    assert await manager.promoted(call, "db-3") == id, "another attempt finds it, and promotes nobody"
    assert [node.name for node in cluster(played).writers] == ["db-3"]


async def test_what_patroni_refuses_is_a_no() -> None:
    played = stage()
    with pytest.raises((Refused, Conflict)):
        await patroni(played).promote(played.call(), "db-9")
    with pytest.raises(Refused, match="fences nobody"):
        await patroni(played).set_fence(played.call(), "db-1", "", True)


async def test_cloud_sql_promotes_a_replica_by_an_operation_and_never_twice() -> None:
    played = stage()
    platform, call = cloud_sql(played), played.call()
    cluster(played).nodes["db-1"].up = False
    assert await platform.promoted(call, "db-2") is None
    done = await platform.progress(call, await platform.promote(call, "db-2"))
    assert done.at is At.DONE and await platform.promoted(call, "db-2") == "instance/db-2"
    assert (await platform.progress(call, "instance/db-2")).at is At.DONE
    with pytest.raises(Refused):
        await platform.promote(call, "db-2")


async def test_an_operation_of_cloud_sql_that_ended_with_an_error_has_failed() -> None:
    """Its status is DONE all the same."""
    played = stage()
    cluster(played).dials.promotion_fails = True
    platform, call = cloud_sql(played), played.call()
    progress = await platform.progress(call, await platform.promote(call, "db-2"))
    assert progress.at is At.FAILED and "could not be promoted" in progress.says


async def test_cloud_sql_fences_by_stopping_under_the_version_that_was_read() -> None:
    played = stage()
    platform, call = cloud_sql(played), played.call()
    read = await platform.fence(call, "db-1")
    assert read == {"fenced": False, "etag": "1"}
    await platform.set_fence(call, "db-1", "1", True)
    assert cluster(played).nodes["db-1"].fenced
    with pytest.raises((Conflict, Refused)):
        await platform.set_fence(call, "db-1", "1", False)
    played.pass_time(timedelta(seconds=15).total_seconds())
    assert (await platform.fence(call, "db-1") or {})["fenced"]
