"""Where everything is. Every setting has an environment variable, `INCIDENT_<NAME>`; secrets come by reference (`env:`, `file:`, `gsm:`)."""

import os
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

HOME = Path(".incident")
FILE = Path(os.environ.get("INCIDENT_SETTINGS", HOME / "settings.env"))


class Settings(BaseSettings):
    """Read from the environment and from the file that `INCIDENT_SETTINGS` names (`.incident/settings.env` otherwise)."""

    model_config = SettingsConfigDict(env_prefix="INCIDENT_", env_file=FILE, extra="ignore", frozen=True)

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    queue: str = "incidents"
    ui_url: str = "http://127.0.0.1:8233"
    ledger_url: str = f"sqlite:///{HOME / 'ledger.db'}"
    organisation: Path = Path("organisation.toml")
    evidence: Path = HOME / "evidence"  # a folder for exports; in a deployment a volume that is backed up and written once

    model_gateway_url: str = ""
    app_url: str = ""
    unleash_url: str = ""
    unleash_project: str = "default"
    unleash_environment: str = "production"
    flagd_file: Path = Path("flags.json")  # the flag file that flagd reads, where flags are kept there
    prometheus_url: str = ""
    statuspage_url: str = "https://api.statuspage.io/v1"
    statuspage_public_url: str = ""
    statuspage_page: str = "main"
    statuspage_fallback_url: str = ""  # a second status host that speaks the same API; it must not depend on what we run
    statuspage_fallback_public_url: str = ""
    statuspage_fallback_page: str = "main"
    slack_url: str = "https://slack.com/api"
    pagerduty_events_url: str = "https://events.pagerduty.com"
    pagerduty_url: str = "https://api.pagerduty.com"
    pagerduty_from: str = "incident-playbooks@example.com"  # the user in whose name the REST API is written to
    pagerduty_requester: str = ""  # the same user's id
    github_url: str = "https://api.github.com"
    github_repository: str = ""
    cloud_run_url: str = "https://run.googleapis.com"
    kubernetes_url: str = ""  # the clusters' API; `{region}` stands for the region
    rollout_patience: float = Field(default=60.0, gt=0, lt=90)  # seconds of a try; below its start-to-close timeout
    platform_url: str = ""  # our own product's control plane
    edge_url: str = ""  # where customers reach our services: <edge_url>/<service>/

    # References, never values: `env:NAME`, `file:/path` or `gsm:projects/…/secrets/…/versions/7` (worker/credentials.py).
    model_gateway_token: str = ""
    app_token: str = ""
    unleash_token: str = ""
    unleash_client_token: str = ""  # for the client API, which takes no admin token; it is bound to an environment
    prometheus_token: str = ""
    statuspage_token: str = ""
    statuspage_fallback_token: str = ""
    slack_token: str = ""
    pagerduty_routing_key: str = ""
    pagerduty_token: str = ""
    github_token: str = ""
    platform_token: str = ""
    cloud_run_token: str = ""  # or `adc`: Google's Application Default Credentials, which renew themselves
    kubernetes_token: str = ""  # read again when it is refused; or `adc`
    codes_secret: str = ""
    alert_token: str = ""

    alert_host: str = "127.0.0.1"
    alert_port: int = 9095
    client_timeout: float = Field(default=4.0, gt=0, lt=8)  # seconds; below every start-to-close timeout
    sticky_timeout: float = Field(default=0.4, gt=0)  # seconds; what an engineer waits for after a worker died
    task_timeout: float = Field(default=5.0, ge=2)  # seconds; likewise, when it died in a decision. A replay must fit in (ADR 5)
    max_cached_workflows: int = 200

    @cached_property
    def queues(self) -> tuple[str, str]:
        """The urgent queue, for SEV-1 and SEV-2, and the other one: a storm of small incidents must not delay a great one."""
        return f"{self.queue}-urgent", self.queue

    @property
    def task_patience(self) -> timedelta:
        """How long the server waits for a decision of a worker before it asks another one."""
        return timedelta(seconds=self.task_timeout)

    def task_queue(self, severity: int) -> str:
        """The queue of an incident, fixed at its declaration."""
        return self.queues[0] if severity <= 2 else self.queues[1]
