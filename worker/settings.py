"""The worker's own settings. Every setting has an environment variable, `INCIDENT_<NAME>`; secrets come by reference (`env:`, `file:`, `gsm:`).

The settings of the systems outside are declared beside them (`activities/*/system.py`); `worker.systems.complete` reads all as one object.
"""

import os
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from dotenv import dotenv_values
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
    # Restricted incidents in a namespace and a ledger of their own: the settings file of the installation that serves them. Its own settings
    # name where all installations keep who holds what, and where the change freezes are: two must not hold one thing against each other.
    restricted_settings: str = ""
    holders_url: str = ""  # empty: the ledger
    freezes_namespace: str = ""  # empty: our own

    alert_host: str = "127.0.0.1"
    alert_port: int = 9095
    alert_token: str = ""  # a reference; what whoever delivers alerts must send
    github_webhook_secret: str = ""  # a reference; by which GitHub signs its webhooks
    client_timeout: float = Field(default=4.0, gt=0, lt=8)  # seconds; below every start-to-close timeout
    sticky_timeout: float = Field(default=5.0, gt=0)  # seconds; so long a busy worker may take to begin a decision (ADR 5)
    task_timeout: float = Field(default=10.0, ge=2)  # seconds; what is waited for a worker that died in a decision. A replay must fit in
    max_cached_workflows: int = 1000  # more than there are open runs in one process: a smaller cache makes everything replay, in turns

    @cached_property
    def queues(self) -> tuple[str, str]:
        """The urgent queue, for SEV-1 and SEV-2, and the other one: a storm of small incidents must not delay a great one."""
        return f"{self.queue}-urgent", self.queue

    @cached_property
    def restricted(self) -> "Settings":
        """The installation that serves restricted incidents: another one, or this. Raises `ValueError` when its file is missing."""
        if not self.restricted_settings:
            return self
        if not Path(self.restricted_settings).is_file():
            raise ValueError(f"INCIDENT_RESTRICTED_SETTINGS: there is no file {self.restricted_settings}")
        read = dotenv_values(self.restricted_settings)
        named = {name: read[key] for name in type(self).model_fields if (key := f"INCIDENT_{name.upper()}") in read}
        return type(self).model_validate({**self.model_dump(), **named, "restricted_settings": ""})

    @property
    def task_patience(self) -> timedelta:
        """How long the server waits for a decision of a worker before it asks another one."""
        return timedelta(seconds=self.task_timeout)

    def task_queue(self, severity: int) -> str:
        return self.queues[0] if severity <= 2 else self.queues[1]


class NoCredential(ValueError):
    """A secret that cannot be read; the message names the setting and the fix, never the value."""


def resolve(reference: str, setting: str) -> str:
    """The secret behind `env:NAME`, `file:/path` or `gsm:projects/P/secrets/S/versions/N`. An empty reference gives an empty secret.

    Versions of Secret Manager are pinned by number: `latest` would make a rollback ambiguous (spec §1 G9). Raises `NoCredential`.
    """
    scheme, _, where = reference.partition(":")
    if not reference:
        return ""
    match scheme:
        case "env":
            if where not in os.environ:
                raise NoCredential(f"{setting} points to the environment variable {where}, which is not set: export {where}=…")
            return os.environ[where].strip()
        case "file":
            try:
                return Path(where).read_text().strip()
            except OSError as wrong:
                raise NoCredential(f"{setting} points to the file {where}, which cannot be read: {wrong.strerror}") from None
        case "gsm" if where.rsplit("/", 1)[-1] == "latest":
            raise NoCredential(f"{setting}: pin the secret's version by number instead of latest")
        case "gsm":
            from google.cloud.secretmanager_v1 import SecretManagerServiceClient  # noqa: PLC0415 - a quarter of a second, for those who use it

            try:
                return SecretManagerServiceClient().access_secret_version(name=where).payload.data.decode().strip()
            except Exception as wrong:
                raise NoCredential(f"{setting}: Secret Manager does not give {where}: {type(wrong).__name__}: {wrong}") from None
        case _:
            raise NoCredential(f"{setting} must be a reference, not a secret: env:NAME, file:/path or gsm:projects/…/versions/7")
