"""What there is when the world begins: a project with its people, a log, disks of assets, and the groups of the staff's realm."""

from __future__ import annotations

from practice.containment.model import ADMIN, ASSETS, PROJECT, Asset, Containment, Disk, Group, Log, Policy, containment
from practice.world.cast import REGIONS
from practice.world.state import State

DATA_ROLES = ("roles/bigquery.dataViewer", "roles/storage.objectViewer")
BREAK_GLASS, OURS = "group:break-glass@example.com", f"serviceAccount:incident@{PROJECT}.iam.gserviceaccount.com"
API = f"serviceAccount:api@{PROJECT}.iam.gserviceaccount.com"
ON_CALL = {"title": "on call", "description": "by rota", "expression": 'request.time < timestamp("2099-01-01T00:00:00Z")'}
ENGINEERS, EXPORTS = "engineers", "customer-data"
RESPONDERS, SUSPENDED = "incident-responders", "customer-data-suspended"


def people(state: State, *names: str) -> list[str]:
    return [f"user:{state.people[name].email}" for name in names]


def there(state: State, now: float) -> Containment:
    """The containment of a world: made when it is first asked for."""
    found = containment(state)
    if not found.projects:
        found.projects[PROJECT] = Policy(
            [
                {"role": "roles/owner", "members": [BREAK_GLASS]},
                {"role": ADMIN, "members": [OURS]},
                {"role": DATA_ROLES[0], "members": [API, *people(state, "dana", "kim", "lee", "ravi"), BREAK_GLASS]},
                {"role": DATA_ROLES[0], "members": people(state, "max"), "condition": dict(ON_CALL)},
                {"role": DATA_ROLES[1], "members": [API, *people(state, "lee", "sam")]},
                {"role": "roles/viewer", "members": people(state, "noor")},
            ]
        )
        names = tuple(dict.fromkeys((*ASSETS, *state.fleet.services)))  # whatever the services of this world are called
        found.assets = {name: found.assets.get(name) or Asset(name) for name in names}
        found.logs = {name: Log() for name in (PROJECT, *names)}
        zones = [f"{region}-b" for region in REGIONS.values()]
        found.disks = [Disk(f"{asset}-{n}", zone, asset) for asset in names for n, zone in enumerate(zones, start=1)]
        found.groups = {one.id: one for one in _groups(state)}
    return found


def _groups(state: State) -> list[Group]:
    staff = [user_id(name) for name in state.people]
    data = [user_id(name) for name in ("kim", "lee", "ravi", "export-bot")]
    return [Group("g-1", ENGINEERS, staff), Group("g-2", EXPORTS, data), Group("g-3", RESPONDERS), Group("g-4", SUSPENDED)]


def user_id(name: str) -> str:
    return f"staff.{name}"
