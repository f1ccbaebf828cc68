"""What is known of those who post alerts: which mapping reads a body, which service a repository is, where an alert goes that names no playbook."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from activities.ledger.inbox import Delivery
from activities.organisation.routing import AlertRoute, AlertSource
from starters.alerts import alertmanager
from starters.alerts.cases import Report, Unreadable
from starters.alerts.sources import github, mapping


@dataclass(frozen=True)
class Known:
    """`repositories`: repository → service."""

    routes: tuple[AlertRoute, ...] = ()
    sources: Mapping[str, AlertSource] = field(default_factory=dict)
    repositories: Mapping[str, str] = field(default_factory=dict)

    def read(self, delivery: Delivery) -> tuple[list[Report], list[str]]:
        """The reports of a body. Raises `Unreadable`."""
        if delivery.source == alertmanager.SOURCE:
            return alertmanager.read(delivery.raw)
        if delivery.source.startswith(github.PREFIX):
            event = delivery.source.removeprefix(github.PREFIX)
            if event not in github.EVENTS:
                raise Unreadable(f"GitHub's event {event} means nothing here: take it out of the webhook's events")
            return mapping.read(delivery.raw, github.EVENTS[event], delivery.received_at)
        if delivery.source not in self.sources:
            raise Unreadable(f"nobody knows any more what {delivery.source} sends")
        return mapping.read(delivery.raw, self.sources[delivery.source], delivery.received_at)

    def placed(self, report: Report) -> Report:
        """With the service whose repository it names, and one incident for each object. One that is of no service is for people."""
        repository = report.labels.get("repository", "")
        service = report.labels.get("service") or self.repositories.get(repository, "")
        if repository and not service:
            labels = {name: said for name, said in report.labels.items() if name != "playbook"}
            return report._replace(labels=labels, summary=f"{report.summary} (the repository is that of no service)"[:200])
        playbook, about = report.labels.get("playbook", ""), report.labels.get("advisory", "")
        placed = {"service": service} if service else {}
        key = {"incident_key": f"{playbook}/{service}/{about}"} if playbook and service and about else {}
        return report._replace(labels={**placed, **key, **report.labels})


NOTHING = Known()
