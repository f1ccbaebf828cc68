"""The client of PostgreSQL on a real primary and standby: as the user that we come as, who may signal, grant, promote, and read no row."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from activities.action import Call, NotYet, Refused
from activities.databases.databases import Databases, FenceOf
from activities.databases.jobs import Promote, Promotions, Snapshot, Snapshots
from activities.databases.platforms.patroni import Patroni
from activities.databases.postgresql.cluster import PostgresCluster
from activities.databases.postgresql.inventory import read
from activities.databases.postgresql.sql import Server
from activities.databases.seen import Says, Vote
from activities.databases.settings import (
    Access,
    Accesses,
    AccessOf,
    Endpoint,
    EndpointOf,
    Endpoints,
    Fence,
    Fences,
    HaOf,
    NodeOf,
)
from activities.databases.system import patroni_auth
from activities.kit.http import HttpClient
from activities.kit.operation import At
from activities.kit.rest import RestClient
from activities.kit.setting import Reading
from practice.stores.postgres import PASSWORD
from practice.stores.replicated import INCIDENT, PRODUCT, Replicated, replicated
from tests.activities.kit.stage import attempt, refused, stage, tried

CALL = Call(incident_id="inc-20261123-db", key="k", at=datetime.now(UTC))
MAIN = AccessOf(cluster="main")


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[tuple[Replicated, PostgresCluster]]:
    with replicated(tmp_path) as cluster:
        clusters = read(cluster.inventory)
        async with HttpClient(clusters["main"].fence_url, {"Authorization": f"Bearer {PASSWORD}"}, timeout=10.0) as fence:
            yield cluster, PostgresCluster(clusters, "incident", PASSWORD, {"main": RestClient(fence)}, {})


async def test_a_revoked_right_ends_sessions_that_an_altered_default_would_let_write_on(real: tuple[Replicated, PostgresCluster]) -> None:
    cluster, client = real
    with cluster.nodes["db-1"].connect(user=PRODUCT, database=PRODUCT) as product:
        cluster.nodes["db-1"].one(f"alter database {PRODUCT} set default_transaction_read_only = on")
        product.execute("insert into written (id) values (1)")  # a session that is open writes on: that is no read-only
        cluster.nodes["db-1"].one(f"alter database {PRODUCT} reset default_transaction_read_only")
        accesses = Accesses(client)
        order = Accesses.order(MAIN, Access(writes=False)).given(await accesses.look_at(CALL, MAIN))
        effect, _ = await tried(Accesses.change, accesses, order, CALL)
        assert "0 sessions" in effect.proven_by
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            product.execute("insert into written (id) values (2)")
    with cluster.nodes["db-1"].connect(user=PRODUCT, database=PRODUCT) as again, pytest.raises(psycopg.errors.InsufficientPrivilege):
        again.execute("insert into written (id) values (3)")
    await tried(Accesses.restore, accesses, order.undo(), CALL)
    with cluster.nodes["db-1"].connect(user=PRODUCT, database=PRODUCT) as again:
        again.execute("insert into written (id) values (4)")


async def test_who_has_written_before_the_right_was_revoked_commits_nothing_when_the_worker_died_in_between(
    real: tuple[Replicated, PostgresCluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies between the two: the right is gone, the session is not. The next attempt ends it, and does not take it for done."""
    cluster, client = real
    accesses = Accesses(client)
    order = Accesses.order(MAIN, Access(writes=False)).given(await accesses.look_at(CALL, MAIN))
    with cluster.nodes["db-1"].connect(user=PRODUCT, database=PRODUCT, autocommit=False) as product:
        product.execute("insert into written (id) values (5)")
        with monkeypatch.context() as dies:
            dies.setattr(Server, "one", lambda self, statement, **values: None)
            client._primary(client._of("main")).revoke((PRODUCT,), "public")
        effect, _ = await tried(Accesses.change, accesses, order, CALL)
        assert "0 sessions" in effect.proven_by
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            product.commit()
    with cluster.nodes["db-1"].connect(database=PRODUCT) as owner:
        assert owner.execute(b"select count(*) from written where id = 5").fetchall() == [(0,)]


async def test_a_right_to_one_column_is_a_right_to_write(real: tuple[Replicated, PostgresCluster]) -> None:
    cluster, client = real
    with cluster.nodes["db-1"].connect(database=PRODUCT) as owner:
        for statement in ("set role owner", "create table noted (id int, note text)", f"grant update (note) on noted to {PRODUCT}"):
            owner.execute(statement.encode())
        owner.execute(f"revoke all on written from {PRODUCT}".encode())
    assert (await Accesses(client).look_at(CALL, MAIN)).value.writes


async def test_exactly_the_rights_that_were_there_are_given_back(real: tuple[Replicated, PostgresCluster]) -> None:
    """A table that is only added to, one column, a right to pass on, and a name that no statement may stumble over."""
    cluster, client = real
    accesses = Accesses(client)
    with cluster.nodes["db-1"].connect(database=PRODUCT) as owner:
        for statement in (
            "set role owner", 'create table "50%:a ""b""" (id int, note text)', f'grant insert on "50%:a ""b""" to {PRODUCT}',
            f'grant update (note) on "50%:a ""b""" to {PRODUCT}', "create table sealed (id int)", f"grant select on sealed to {PRODUCT}",
            "create table passed (id int)", f"grant delete on passed to {PRODUCT} with grant option",
        ):  # fmt: skip
            owner.execute(statement.encode())
    before = rights(client)
    assert {('50%:a "b"', "INSERT", "", False), ('50%:a "b"', "UPDATE", "note", False), ("passed", "DELETE", "", True)} <= set(before)
    order = Accesses.order(MAIN, Access(writes=False)).given(await accesses.look_at(CALL, MAIN))
    await tried(Accesses.change, accesses, order, CALL)
    assert rights(client) == []
    typed = order.model_copy(update={"of": order.of.model_copy(update={"store": "postgresql"})})
    assert any("GRANT INSERT ON" in line and "50%" in line for line in typed.undo().by_hand())
    assert any("REVOKE" in line and PRODUCT in line for line in typed.by_hand())
    await tried(Accesses.restore, accesses, order.undo(), CALL)
    assert rights(client) == before, "and no more: what is only added to is not deleted from"


async def test_rights_that_nobody_has_noted_are_not_made_up(real: tuple[Replicated, PostgresCluster]) -> None:
    _, client = real
    accesses, order = Accesses(client), Accesses.order(MAIN, Access(writes=False))
    await tried(Accesses.change, accesses, order, CALL)
    blind = order.given(Reading[Access](value=Access(writes=True))).undo()
    assert "nobody has noted which rights product had" in await refused(lambda: attempt(Accesses.restore, accesses, blind, CALL))


def rights(client: PostgresCluster) -> list[tuple[str, str, str, bool]]:
    at = client._of("main")
    found = client._primary(at).rights(at.writers, at.schema_name)
    return sorted((table, one.may, one.column, one.passes_on) for one in found for table in one.tables)


async def test_what_the_nodes_say_and_what_is_met_from_three_networks(real: tuple[Replicated, PostgresCluster]) -> None:
    cluster, client = real
    seen = await client.see(CALL, "main")
    assert {one.id: one.says for one in seen.nodes} == {"db-1": Says.PRIMARY, "db-2": Says.STANDBY} and seen.writers == ("db-1",)
    assert len({one.system_id for one in seen.nodes}) == 1 and seen.system_id == seen.nodes[0].system_id
    cluster.roads["db-1"]["us-east"].close()
    votes = (await client.see(CALL, "main")).votes("db-1")
    assert votes == {"eu-west": Vote.UP, "us-east": Vote.DOWN, "outside": Vote.UP}
    cluster.nodes["db-2"].one("select pg_wal_replay_pause()")
    cluster.nodes["db-1"].one("select pg_logical_emit_message(true, 'x', repeat('y', 5000))")
    late = (await client.see(CALL, "main")).node("db-2")
    assert late is not None and late.paused


async def test_nothing_is_promoted_that_is_not_fenced_known_and_alone(real: tuple[Replicated, PostgresCluster]) -> None:
    cluster, client = real
    cluster.live()
    promotions, has = Promotions(client), (await client.see(CALL, "main")).node("db-2")
    assert has is not None
    order = Promote(cluster="main", node="db-2", old="db-1", at_least=has.lsn)
    assert "beside another writer" in await refused(lambda: attempt(Promotions.run, promotions, order, CALL))
    cluster.nodes["db-1"].crash()
    more = order.model_copy(update={"at_least": (has.lsn or 0) + 10**9})
    assert "less than it said" in await refused(lambda: attempt(Promotions.run, promotions, more, CALL))
    unknown = order.model_copy(update={"at_least": None})
    assert "unknown loss" in await refused(lambda: attempt(Promotions.run, promotions, unknown, CALL))
    cluster.rest()
    assert cluster.nodes["db-2"].one("select pg_is_in_recovery()")


async def test_a_failover_is_fenced_promoted_once_and_repointed(real: tuple[Replicated, PostgresCluster]) -> None:
    cluster, client = real
    cluster.live()
    kept, _ = await tried(Snapshots.create, Snapshots(client), Snapshot(cluster="main", node="db-2"), CALL)
    again, _ = await tried(Snapshots.create, Snapshots(client), Snapshot(cluster="main", node="db-2"), CALL)
    assert not kept.adopted and again.adopted and len(list((cluster.home / "snapshots").iterdir())) == 1
    cluster.breaks("hang")
    await tried(Fences.change, Fences(client), Fences.order(NodeOf(cluster="main", node="db-1"), Fence(fenced=True)), CALL)
    assert not cluster.fencer.come_back("db-1"), "whoever starts the machine again: it stays away"
    assert "refused from" in (await Databases(client).fence_holds(FenceOf(cluster="main", node="db-1"), CALL)).proven_by
    has = (await client.see(CALL, "main")).node("db-2")
    order = Promote(cluster="main", node="db-2", old="db-1", at_least=has.lsn if has else None)
    first, _ = await tried(Promotions.run, Promotions(client), order, CALL)
    second, _ = await tried(Promotions.run, Promotions(client), order, CALL)
    assert not first.adopted and second.adopted and cluster.nodes["db-2"].one("select timeline_id from pg_control_checkpoint()") in (1, 2)
    pointing = Endpoints.order(EndpointOf(cluster="main"), Endpoint(writes_to="db-2", reads_from=("db-2",)))
    await tried(Endpoints.change, Endpoints(client), pointing, CALL)
    cluster.writes(5)
    assert cluster.judged(0.0) == [], "whatever was lost, nobody wrote twice"


async def test_a_leader_is_promoted_when_its_postgresql_takes_writes_and_not_before(real: tuple[Replicated, PostgresCluster]) -> None:
    """Patroni names the leader first, and its PostgreSQL ends its recovery afterwards."""
    cluster, _ = real
    played = stage()
    basic = HttpClient("http://practice/patroni", {}, transport=played._transport, auth=patroni_auth(INCIDENT, PASSWORD))
    client = PostgresCluster(read(cluster.inventory), INCIDENT, PASSWORD, {}, {"main": Patroni([basic])})
    id = await client.begin(CALL, "main", "promote", CALL.key, {"node": "db-2"})
    early = await client.job(CALL, "main", id)
    assert early.at is At.RUNNING and "takes no writes yet" in early.says
    assert await client.find(CALL, "main", "promote", CALL.key, {"node": "db-2"}) == id, "it is not begun again"
    cluster.nodes["db-2"].one("select pg_promote(true, 30)")
    assert (await client.job(CALL, "main", id)).at is At.DONE


async def test_a_move_of_clients_that_broke_off_in_the_middle_is_ended_by_the_next_attempt(
    real: tuple[Replicated, PostgresCluster],
) -> None:
    """A worker died after KILL: the pooler sends clients where it shall, and holds every one of them."""
    cluster, client = real
    endpoints, wanted = Endpoints(client), Endpoint(writes_to="db-1", reads_from=("db-1",))
    order = Endpoints.order(EndpointOf(cluster="main"), wanted).given(await endpoints.look_at(CALL, EndpointOf(cluster="main")))
    with psycopg.connect(host="127.0.0.1", port=cluster.pooler.port, user="pgbouncer", dbname="pgbouncer", autocommit=True) as console:
        console.execute(f"KILL {PRODUCT}".encode())
    effect, _ = await tried(Endpoints.change, endpoints, order, CALL)
    assert not effect.adopted and wanted.same((await endpoints.look_at(CALL, order.of)).value)
    with psycopg.connect(
        host="127.0.0.1", port=cluster.pooler.port, user=PRODUCT, password=PASSWORD, dbname=PRODUCT, connect_timeout=3
    ) as product:
        assert product.execute("select 1").fetchone() == (1,)


async def test_what_it_cannot_be_told_is_said(real: tuple[Replicated, PostgresCluster]) -> None:
    _, client = real
    assert (await client.setting(CALL, HaOf(cluster="main")))["paused"], "nothing promotes by itself"
    with pytest.raises(Refused, match="there is no cluster"):
        await client.see(CALL, "other")
    with pytest.raises(Refused, match="neither Patroni nor Cloud SQL"):
        await client.set(CALL, HaOf(cluster="main"), "", {"paused": True})
    with pytest.raises((NotYet, Refused)):
        await client.set(CALL, EndpointOf(cluster="main"), (await client.setting(CALL, EndpointOf(cluster="main")))["etag"],
                         {"writes_to": "db-1", "reads_from": ["db-2"]})  # fmt: skip
