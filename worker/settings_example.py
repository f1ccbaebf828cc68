"""`python -m worker.settings_example > deploy/settings.example.env`: every setting that somebody fills in, as the clients declare them."""

import sys
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

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
"""


def example() -> str:
    """The whole file."""
    return HEAD + "".join(line + "\n" for client in clients() for line in _section(client))


def _section(client: ClientInfo[Any]) -> Iterator[str]:
    fields = {name: of for name, of in client.settings.model_fields.items() if name in client.settings.__annotations__}
    optional = any(noted(of, "needed") and not noted(of, "secret") and not of.examples for of in fields.values())
    choice = next((port for port in ports().values() if client in port.clients), None)
    other = choice is not None and client is not choice.clients[0]
    yield ""
    yield f"# {client.name}" + (f': for [systems] {choice.name} = "{client.name}" in organisation.toml' if choice and other else "")
    for name, of in fields.items():
        if of.description:
            yield f"# {of.description}"
        wanted = bool(noted(of, "needed") or of.examples) and not optional and not other
        yield f"{'' if wanted else '# '}{PREFIX}{name.upper()}={_value(name, of)}"


def _value(name: str, of: FieldInfo) -> str:
    if noted(of, "secret"):
        return f"file:/run/secrets/{name}"
    return str(of.examples[0] if of.examples else of.default)


if __name__ == "__main__":
    sys.stdout.write(example())
