"""`[routes.<name>]` of organisation.toml: which playbook an alert is for that names none, by its labels."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from pydantic import Field

from activities.action import Value


class AlertRoute(Value):
    """An alert with all of these labels is for this playbook. In `match`, `*` stands for anything; a label that is not there does not match.

    `service`, `provider`, `region`: the scope; `{label}` stands for the value of one of its labels. Empty: what the alert says.
    """

    match: dict[str, str] = Field(min_length=1)
    playbook: str = Field(min_length=1)
    service: str = ""
    provider: str = ""
    region: str = ""

    def takes(self, labels: Mapping[str, str]) -> bool:
        return all(name in labels and fnmatchcase(labels[name].casefold(), wanted.casefold()) for name, wanted in self.match.items())

    def scope(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels that it adds to an alert."""
        told = {"playbook": self.playbook}
        for name in ("service", "provider", "region"):
            said: str = getattr(self, name)
            for label, value in labels.items():
                said = said.replace(f"{{{label}}}", value)
            told |= {name: said} if said else {}
        return told


def routed(labels: Mapping[str, str], routes: Sequence[AlertRoute]) -> dict[str, str]:
    """The labels of an alert, with the playbook and the scope of the first route that takes it. One that names a playbook keeps it."""
    first = None if labels.get("playbook") else next((route for route in routes if route.takes(labels)), None)
    return {**labels, **(first.scope(labels) if first else {})}
