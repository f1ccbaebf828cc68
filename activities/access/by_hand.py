"""What a person types to narrow the access to a project or a realm, and to give it back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from activities.kit.words.shell import Command, Var, address, command, comment, curl, gcloud, pipe
from activities.kit.words.urls import path, query

ROLE, KEYCLOAK, TOKEN = Var("RESPONDER_ACCESS_ROLE"), Var("KEYCLOAK_GROUPS_URL"), ("Authorization: Bearer ", Var("KEYCLOAK_GROUPS_TOKEN"))
TITLE = "incident-playbooks responders"
SAVED = "access-before.json"
UNTIL = "%Y-%m-%dT%H:%M:%SZ"


def ends_at(until: datetime) -> str:
    """The condition of a binding that ends."""
    return f'request.time < timestamp("{until:{UNTIL}}")'


def _read_google(scope: str) -> tuple[Command, ...]:
    return (gcloud("projects", "get-iam-policy", scope, "--format=json"),)


def _narrow_google(scope: str, people: Sequence[str], until: datetime) -> tuple[Command, ...]:
    condition = f"--condition=expression={ends_at(until)},title={TITLE}"
    grants = (
        gcloud("projects", "add-iam-policy-binding", scope, f"--member={member(one)}", ("--role=", ROLE), condition) for one in people
    )
    saved = pipe(gcloud("projects", "get-iam-policy", scope, "--format=json"), command("tee", SAVED))
    rest = "then take the bindings of the restricted roles from everybody else, but for break-glass and service accounts"
    return saved, *grants, comment(rest)


def _give_back_google(scope: str) -> tuple[Command, ...]:
    said = (
        f"what rests has an end in 2001 in its condition: take that part away in {SAVED}, and the responders' binding, keep the etag; then"
    )
    shown = pipe(gcloud("projects", "get-iam-policy", scope, "--format=json"), command("tee", SAVED))
    return shown, comment(said), gcloud("projects", "set-iam-policy", scope, SAVED)


def _read_keycloak(scope: str) -> tuple[Command, ...]:
    where = address(KEYCLOAK, path("admin", "realms", scope, "groups"), query({"briefRepresentation": "false"}))
    return (curl("GET", where, TOKEN),)


def _narrow_keycloak(scope: str, people: Sequence[str], until: datetime) -> tuple[Command, ...]:
    users = tuple(
        curl("GET", address(KEYCLOAK, path("admin", "realms", scope, "users"), query({"username": one, "exact": "true"})), TOKEN)
        for one in people
    )
    said = f"put these into the responders' group, everybody else of the restricted group into the group of those who rest; until {until:{UNTIL}}"
    return (*users, comment(said))


def _give_back_keycloak(scope: str) -> tuple[Command, ...]:
    said = "put everybody of the group of those who rest back into the restricted group, and take everybody out of the responders' group"
    return (*_read_keycloak(scope), comment(said))


def member(person: str) -> str:
    """As IAM knows them: `user:dana@example.com`, `group:security@example.com`."""
    return person if person.startswith("group:") else f"user:{person}"


READ: Mapping[str, Callable[[str], tuple[Command, ...]]] = MappingProxyType({"google": _read_google, "keycloak": _read_keycloak})
NARROW: Mapping[str, Callable[[str, Sequence[str], datetime], tuple[Command, ...]]] = MappingProxyType(
    {"google": _narrow_google, "keycloak": _narrow_keycloak}
)
GIVE_BACK: Mapping[str, Callable[[str], tuple[Command, ...]]] = MappingProxyType(
    {"google": _give_back_google, "keycloak": _give_back_keycloak}
)
