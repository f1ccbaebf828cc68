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


class EventMapping(Value):
    """An event of some system as data: by dotted paths into its JSON (`alert.rule.name`, `hits.0.id`) what it says, and since when.

    `action`: whose value says what has happened: one of `firing`, of `resolved`, or of `noted` (kept, and nobody is told). Without these lists every
    event fires. `ended_by`: it is over when something stands there. `identity`: what makes two events the same. `unsure`: path → value → how sure.
    `words`: of a label, what a value is called here; one that is not in it is left out.
    """

    playbook: str = ""
    action: str = "action"
    firing: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    ended_by: str = ""
    labels: dict[str, str] = {}
    words: dict[str, dict[str, str]] = {}
    fixed: dict[str, str] = {}
    summary: str = Field(min_length=1)
    identity: tuple[str, ...] = Field(min_length=1)
    since: tuple[str, ...] = ()
    confidence: float = Field(default=0.8, ge=0, le=1)
    unsure: dict[str, dict[str, float]] = {}


class AlertSource(EventMapping):
    """`[sources.<name>]`: a system that posts JSON to `/alerts/<name>`, signed. `each`: where its events stand, if it sends several at once.

    `signed_by`: a reference to the key; `header`: where the HMAC-SHA256 of the body stands, in hexadecimal, after `prefix`.
    """

    signed_by: str = Field(min_length=1)
    header: str = "X-Signature-256"
    prefix: str = "sha256="
    each: str = ""
