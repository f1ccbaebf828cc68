"""`python -m worker.settings_example > deploy/settings.example.env`: every setting that somebody fills in, as the clients declare them."""

import sys
from collections.abc import Iterator
from typing import Any

from activities.systems import PREFIX, ClientInfo, noted
from worker.systems import clients, ports

HEAD = """\
# Where your systems are. Secrets are references: env:NAME, file:/path, or gsm:projects/P/secrets/S/versions/7 (pinned by number).
# What is commented out may be left out. Written by `python -m worker.settings_example`, from activities/*/system.py.
# Temporal, the ledger and the organisation file are set by docker-compose.yml; on a plain machine set them here too:
# INCIDENT_TEMPORAL_ADDRESS=127.0.0.1:7233
# INCIDENT_LEDGER_URL=sqlite:///.incident/ledger.db
# INCIDENT_ORGANISATION=organisation.toml

INCIDENT_UI_URL=http://127.0.0.1:8080
INCIDENT_ALERT_TOKEN=file:/run/secrets/alert_token
# INCIDENT_GITHUB_WEBHOOK_SECRET=file:/run/secrets/github_webhook
"""


def example() -> str:
    first = {client.settings: client for client in reversed(clients())}
    return HEAD + "".join(line + "\n" for client in clients() if first[client.settings] is client for line in _section(client))


def _section(client: ClientInfo[Any]) -> Iterator[str]:
    """What must be filled in, and as comments what may be: all of a client that can be done without."""
    other = next((port for port in ports().values() if client in port.clients[1:]), None)
    yield ""
    yield f"# {client.name}" + (f', where organisation.toml has [policy.systems] {other.name} = "{client.name}"' if other else "")
    for name in client.settings.__annotations__:
        of = client.settings.model_fields[name]
        yield from [f"# {of.description}"] if of.description else []
        wanted = (noted(of, "needed") or of.examples) and not client.optional and not other
        value = f"file:/run/secrets/{name}" if noted(of, "secret") else (of.examples or [of.default])[0]
        yield f"{'' if wanted else '# '}{PREFIX}{name.upper()}={value}"


if __name__ == "__main__":
    sys.stdout.write(example())
