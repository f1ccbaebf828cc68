"""What changes the dependencies of a repository without a person: dependabot's pull requests, and merges that nobody looks at (A.12 M1).

By GitHub's own switches (docs.github.com/rest/repos). They have no version: a write of ours is compared with what was read, by its value.
"""

from typing import Any, Literal

from activities.action import Call, Risk, Role
from activities.kit.setting import Reading, Resource, Setting, SettingValue
from activities.kit.words.shell import Command, Var, curl
from activities.kit.words.urls import path
from activities.tickets.github import GitHubClient

Switch = Literal["merging without a person", "pull requests of dependabot"]
MERGES: Switch = "merging without a person"
UPDATES: Switch = "pull requests of dependabot"
TOKEN = ("Authorization: Bearer ", Var("GITHUB_TOKEN"))
API = "https://api.github.com"


class BotOf(Resource):
    """One switch of one repository."""

    repository: str
    switch: Switch

    def __str__(self) -> str:
        return f"{self.switch} in {self.repository}"

    def target(self) -> str:
        return f"repository/{self.repository}/{'merges' if self.switch == MERGES else 'updates'}"

    @property
    def path(self) -> str:
        return path("repos", *self.repository.split("/"), *([] if self.switch == MERGES else ["automated-security-fixes"]))

    def read_by_hand(self) -> tuple[str, ...]:
        return (curl("GET", API + self.path, TOKEN),)

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        return (self._command(value.on),)

    def _command(self, on: bool) -> Command:
        if self.switch == MERGES:
            return curl("PATCH", API + self.path, TOKEN, body={"allow_auto_merge": on})
        return curl("PUT" if on else "DELETE", API + self.path, TOKEN)


class Bot(SettingValue):
    on: bool

    def __str__(self) -> str:
        return "on" if self.on else "off"

    def effect(self, of: BotOf) -> str:
        return f"{of} is {self}"

    def back(self, of: BotOf) -> str:
        return f"{of} is {self} again"


class UpdateSwitches(GitHubClient):
    """Those switches, at GitHub."""

    async def on(self, call: Call, of: BotOf) -> bool:
        """Raises `Refused` where GitHub does not show it: it does so to nobody who may not change it."""
        said = (await self._read(call, of.path)).json()
        return bool(said["allow_auto_merge"] if of.switch == MERGES else said["enabled"])

    async def turn(self, call: Call, of: BotOf, on: bool) -> None:
        if of.switch == MERGES:
            await self._write(call, "PATCH", of.path, {"allow_auto_merge": on})
        else:
            await self._write(call, "PUT" if on else "DELETE", of.path)


class UpdateBots(
    Setting[BotOf, Bot], read="update_bots.read", change="update_bots.stop", restore="update_bots.start", risk=Risk.C1, restore_risk=Risk.C2,
    asks=(Role.SECURITY_LEAD, Role.OPS_LEAD), contains=True,
):  # fmt: skip
    """Whether they work, as GitHub shows it."""

    def __init__(self, switches: UpdateSwitches) -> None:
        self._switches = switches

    async def look_at(self, call: Call, of: BotOf) -> Reading[Bot]:
        return Reading[Bot](value=Bot(on=await self._switches.on(call, of)))

    async def write(self, call: Call, of: BotOf, wanted: Bot, over: Reading[Bot], epoch: int) -> None:
        await self._switches.turn(call, of, wanted.on)


STOPPED = UpdateBots.measure("update bots stopped")
