"""GitHub's webhooks (docs.github.com/webhooks/webhook-events-and-payloads) as mappings: leaked secrets, vulnerable dependencies, advisories.

How sure an event is decides what it opens (docs/alerts.md): below 0.6 it is only kept. A repository is a service by `[services.<name>] repository`.
"""

from types import MappingProxyType

from activities.organisation.routing import EventMapping

PREFIX = "github."
PING = "ping"
# What was only found in development, or is low, is dependabot's own business; the routing table and `incident declare` are there for the rest.
SEVERITIES = {"low": 0.3, "moderate": 0.5, "medium": 0.5, "high": 0.8, "critical": 0.9}
REPOSITORY = {"repository": "repository.full_name"}
ADVISED = {**REPOSITORY, "advisory": "alert.security_advisory.ghsa_id", "package": "alert.dependency.package.name"}

EVENTS = MappingProxyType(
    {
        "secret_scanning_alert": EventMapping(
            playbook="secret_compromise",
            firing=("created", "reopened", "publicly_leaked", "validated"), resolved=("resolved", "revoked"), noted=("assigned", "unassigned"),
            labels={**REPOSITORY, "number": "alert.number", "kind": "alert.secret_type_display_name", "validity": "alert.validity",
                    "exposure": "alert.publicly_leaked"},
            words={"exposure": {"true": "public"}}, fixed={"alertname": "GitHubSecretFound"},
            summary="{repository.full_name}: secret scanning has found a secret (alert {alert.number})",
            identity=("repository.full_name", "alert.number"), since=("alert.created_at",), confidence=0.9,
            unsure={"alert.validity": {"inactive": 0.5}},
        ),
        "dependabot_alert": EventMapping(
            playbook="supply_chain_cve",
            firing=("created", "reopened", "reintroduced", "auto_reopened"), resolved=("fixed", "dismissed", "auto_dismissed"),
            noted=("assignees_changed",), fixed={"alertname": "GitHubDependencyVulnerable"}, ended_by="alert.security_advisory.withdrawn_at",
            labels={**ADVISED, "number": "alert.number", "path": "alert.dependency.manifest_path"},
            summary="{repository.full_name}: {alert.security_advisory.ghsa_id} in {alert.dependency.package.name}",
            identity=("repository.full_name", "alert.number"), since=("alert.created_at",), confidence=0.8,
            unsure={"alert.security_advisory.severity": SEVERITIES, "alert.dependency.scope": {"development": 0.5}},
        ),
        "repository_advisory": EventMapping(
            playbook="supply_chain_cve", firing=("published",), noted=("reported",),
            fixed={"alertname": "GitHubOwnAdvisory"}, ended_by="repository_advisory.withdrawn_at",
            labels={**REPOSITORY, "advisory": "repository_advisory.ghsa_id"},
            summary="{repository.full_name}: {repository_advisory.ghsa_id}, an advisory of our own",
            identity=("repository_advisory.ghsa_id",), since=("repository_advisory.published_at",), confidence=0.9,
            unsure={"repository_advisory.severity": SEVERITIES},
        ),
        # Of the whole world, and not of us: whether we have the package the inventory and dependabot say.
        "security_advisory": EventMapping(
            playbook="supply_chain_cve", fixed={"alertname": "GitHubAdvisory"},
            firing=("published", "updated"), resolved=("withdrawn",), ended_by="security_advisory.withdrawn_at",
            labels={"advisory": "security_advisory.ghsa_id"}, summary="{security_advisory.ghsa_id} was {action}",
            identity=("security_advisory.ghsa_id",), since=("security_advisory.published_at",), confidence=0.5,
        ),
    }
)  # fmt: skip
