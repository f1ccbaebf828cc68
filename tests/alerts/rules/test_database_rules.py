"""The alerts of playbook 2.9: a cluster that breaks is heard after the rules' own time; Prometheus' stories are in alerts/tests."""

import shutil

import pytest

from practice.databases.cluster import Databases, Node
from practice.databases.simulation import hasty
from tests.alerts.rules.test_alert_rules import ALERTS, Watched, agree

RULES = ALERTS / "database_failover.yml"
DOWN = {"DatabasePrimaryDown": (30, 60), "DatabaseTakesNoWrites": (60, 90)}
BROKEN = {
    "dead": {**DOWN, "DatabaseReplicationBroken": (120, 180)},
    "partitioned": {**DOWN, "DatabaseReplicationBroken": (120, 180)},
    "clone": {"DatabaseTwoWriters": (0, 30)},
    "paused": {"DatabaseReplicasStale": (300, 390), "DatabaseLagBeyondRpo": (330, 420)},
    "disk": {"DatabaseDiskNearlyFull": (300, 330)},
}


def breaks(kind: str, primary: Node, standby: Node) -> None:
    match kind:
        case "dead":
            primary.up = False
        case "partitioned":
            primary.cut_from = ["*"]
        case "clone":
            standby.primary = True
        case "paused":
            standby.paused = True
        case _:
            primary.disk = 0.97


@pytest.mark.parametrize("kind", BROKEN)
def test_what_breaks_is_heard_and_names_its_cluster(kind: str) -> None:
    heard, watched = BROKEN[kind], Watched((RULES,))
    cluster = watched.world.state.part(Databases).clusters["main"]
    breaks(kind, cluster.nodes["db-1"], cluster.nodes["db-2"])
    watched.pass_by(600)
    for alert, (soonest, latest) in heard.items():
        assert soonest <= watched.fired(alert) <= latest, watched.changes
    assert {alert for _, alert, firing in watched.changes if firing} == set(heard)
    named = {alert.labels["cluster"] for group in watched.alerting.groups for _, alert in group.alerts() if alert.state == "firing"}
    assert named == {"main"}
    if kind == "dead" and shutil.which("promtool"):
        agree(watched)


def test_the_platforms_own_failover_is_heard_and_a_healthy_world_is_quiet() -> None:
    watched = Watched((RULES,))
    watched.pass_by(1800)
    assert watched.changes == []
    cluster = watched.world.state.part(Databases).clusters["main"]
    cluster.nodes["db-1"].up = False
    hasty(cluster, watched.world.clock.now())
    watched.pass_by(60)
    assert "DatabaseFailedOver" in {alert for _, alert, firing in watched.changes if firing}
