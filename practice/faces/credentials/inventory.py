"""The inventory: where a credential is, who uses it, and what else can be read by whoever has it. Ids, and never a value."""

from __future__ import annotations

from practice.credentials.keys import users
from practice.credentials.model import SOURCES, Listed
from practice.faces.credentials.base import FACE, OF, there_of
from practice.http.face import Call, Reply, RouteModels, Shown


class CredentialShown(Shown):
    """One credential. `secret`: its name in the store, empty where it is kept elsewhere. `needed`: the scopes that its users really need.

    `in_use_by`: the services that serve by it now; one that is not among `consumers` is one that nobody has listed."""

    id: str
    issuer: str
    key: str
    subject: str
    danger: str
    secret: str
    scopes: list[str]
    needed: list[str]
    consumers: list[str]
    verifiers: list[str]
    owner: str
    customer: str
    personal_data: bool
    environment: str
    in_use_by: list[str]


class Inventory(Shown):
    credentials: list[CredentialShown]


class Reach(Shown):
    """What can be read by whoever holds a credential, whether or not anybody uses it. `sources`: where it was looked for, and whether that
    could be read: what could not is not clean."""

    credentials: list[str]
    sources: dict[str, bool]


@FACE.reads("inventory.list", OF + "/inventory", models=RouteModels(shows=Inventory))
def everything(call: Call) -> Reply:
    """Every credential that is known."""
    return Reply(Inventory(credentials=[_shown(call, one) for one in there_of(call).inventory.values()]).model_dump())


@FACE.reads("inventory.get", OF + "/inventory/{credential}", models=RouteModels(shows=CredentialShown))
def one(call: Call) -> Reply:
    return Reply(_shown(call, _known(call)).model_dump())


@FACE.reads("inventory.reach", OF + "/inventory/{credential}/reach", models=RouteModels(shows=Reach))
def reach(call: Call) -> Reply:
    """The blast set: also what is derived, and what nobody uses."""
    there, todo, found = there_of(call), [_known(call).id], list[str]()
    while todo:
        name = todo.pop(0)
        if name not in found:
            found.append(name)
            todo += there.inventory[name].reaches
    sources = {name: name not in there.dials.unread for name in SOURCES}
    return Reply(Reach(credentials=found[1:], sources=sources).model_dump())


def _known(call: Call) -> Listed:
    found = there_of(call).inventory.get(call.path["credential"])
    if found is None:
        raise call.refuse(404, f"there is no credential {call.path['credential']} in the inventory")
    return found


def _shown(call: Call, one: Listed) -> CredentialShown:
    there = there_of(call)
    key = there.keys.get(one.key)
    return CredentialShown(
        id=one.id, issuer=one.issuer, key=one.key, subject=one.subject, danger=one.danger, secret=one.secret, scopes=one.scopes,
        needed=one.needed, consumers=one.consumers, verifiers=one.verifiers, owner=one.owner, customer=one.customer,
        personal_data=one.personal_data, environment=one.environment, in_use_by=users(call.state.fleet, there, key) if key else [],
    )  # fmt: skip
