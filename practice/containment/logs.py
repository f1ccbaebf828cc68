"""Audit logs: what arrives, and what is kept of it for how long."""

from __future__ import annotations

from practice.containment.model import MOST_ENTRIES, PROJECT, Containment, Entry, Log

DAY = 86_400.0
DATA = ("DATA_READ", "DATA_WRITE")


def noted(log: Log, id: str, kind: str, at: float, *, name: str = "", **more: object) -> None:
    """A line arrives, unless the log is deaf. The same id again is the same line."""
    if log.deaf or any(one.id == id for one in log.entries):
        return
    log.entries.append(Entry(id, kind, at, name, dict(more)))
    del log.entries[:-MOST_ENTRIES]


def rolled(log: Log, at: float) -> None:
    """What is older than the log keeps is gone."""
    log.entries = [one for one in log.entries if one.at > at - log.level.retention_days * DAY]


def logged_by_google(found: Containment) -> set[str]:
    """What the project's policy has logged of all services, whoever does it: `ADMIN_READ`, `DATA_READ`, `DATA_WRITE`."""
    configs = [one for one in found.projects[PROJECT].audit if one.get("service") == "allServices"]
    return {kind["logType"] for one in configs for kind in one.get("auditLogConfigs", []) if not kind.get("exemptedMembers")}


def audited_by_google(found: Containment) -> bool:
    return logged_by_google(found) >= set(DATA)
