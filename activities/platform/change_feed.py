"""What was changed: deploys, and everything else that is changed in a day (spec §8 S-CHANGES; A.1 T2). A list with a hole says so."""

from datetime import datetime, timedelta
from typing import Literal

from activities.action import Call, Order, System, Value, action
from activities.kit.words.redact import Redacted, RedactedFields
from activities.kit.words.shell import Var, command, curl, keep
from activities.platform.control_plane import BASE, TOKEN, ControlPlane

Kind = Literal["deploy", "config", "flag", "migration", "iam", "prompt", "model", "scheduler", "vendor"]
KINDS: tuple[Kind, ...] = ("deploy", "config", "flag", "migration", "iam", "prompt", "model", "scheduler", "vendor")


class ChangesSince(Order, target="change-feed", effect="read everything that was changed in the last {look_back}"):
    """Read what was changed in the time before the call's instant, whatever it concerns."""

    look_back: timedelta = timedelta(hours=24)

    def by_hand(self) -> tuple[str, ...]:
        since = command("date", "-u", "-d", f"-{self.look_back.total_seconds():.0f} seconds", "+%Y-%m-%dT%H:%M:%SZ")
        read = curl("GET", (BASE, "/v1/changes?since=", Var("SINCE")), ("Authorization: Bearer ", TOKEN))
        return (keep("SINCE", since), read)


class Change(Value):
    """One change. `services` is empty where it concerns everything; `details` may name its `revision` or its `region`."""

    id: str
    kind: str
    at: datetime
    actor: str
    services: tuple[str, ...] = ()
    what: Redacted = ""
    reversible: bool = True
    digest: str = ""
    details: RedactedFields = {}

    def in_words(self) -> str:
        return f"{self.kind} {self.id} by {self.actor} at {self.at:%H:%M:%S} UTC: {self.what}"


class Changes(Value):
    """Every change between two instants, oldest first. `gaps`: the kinds that could not be seen."""

    changes: tuple[Change, ...]
    kinds: tuple[str, ...]
    gaps: tuple[str, ...]
    since: datetime
    until: datetime

    @property
    def complete(self) -> bool:
        return not self.gaps


class ChangeFeed(System):
    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    @action("change_feed.since")
    async def since(self, order: ChangesSince, call: Call) -> Changes:
        """Every change of the window, data and permissions included, with the kinds that are covered and the gaps by name."""
        since = call.at - order.look_back / call.pace
        said = await self._plane.changes(call, since, call.at)
        gaps = {*said["gaps"], *(kind for kind in KINDS if kind not in said["kinds"])}
        found = sorted((Change.model_validate(row) for row in said["changes"]), key=lambda change: (change.at, change.id))
        kinds = tuple(kind for kind in said["kinds"] if kind not in gaps)
        return Changes(changes=tuple(found), kinds=kinds, gaps=tuple(sorted(gaps)), since=since, until=call.at)
