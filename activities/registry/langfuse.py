"""Langfuse's prompts (api.reference.langfuse.com): a label is on one version of a prompt at a time. Models and guard chains are kept as prompts too.

To put a label on a version is state-setting: twice is once. It has no versions of its own: a late write is told from a new one by nothing.
"""

from activities.action import Call, NotYet, Refused
from activities.kit.http import NOT_FOUND, HttpClient, outcome
from activities.kit.rest import Json
from activities.kit.setting.write import SOON
from activities.kit.words.urls import path

NEWEST = "latest"  # Langfuse gives it by itself, and takes it from nobody


class Langfuse:
    """The prompts of one Langfuse project, by its public and secret key."""

    def __init__(self, langfuse: HttpClient) -> None:
        self._http = langfuse

    async def version(self, call: Call, name: str, alias: str) -> int:
        """Raises `Refused` where there is no such prompt or label: nobody can say then what serves."""
        return int((await self._prompt(call, name, label=alias))["version"])

    async def move(self, call: Call, name: str, alias: str, version: int) -> None:
        """Put a label on a version, which keeps its other labels, and see it by the label. Raises `NotYet` when it does not show."""
        there = await self._prompt(call, name, version=version)
        labels = sorted({alias, *there.get("labels", [])} - {NEWEST})
        await self._http.write(call, "PATCH", self._path(name, "versions", version), json={"newLabels": labels})
        found = await self.version(call, name, alias)
        if found != version:
            raise NotYet(f"accepted, but the label {alias} of {name} is on version {found}", after=SOON)

    async def alive(self, call: Call) -> str:
        """What its health check says."""
        return (await self._http.read(call, "/api/public/health")).text

    async def _prompt(self, call: Call, name: str, *, label: str | None = None, version: int | None = None) -> Json:
        asked = {key: value for key, value in (("label", label), ("version", version)) if value is not None}
        said = await self._http.ask(call, "GET", self._path(name), params=asked)
        if said.status_code == NOT_FOUND:
            raise Refused(f"Langfuse has no prompt {name} with {' '.join(f'{key} {value}' for key, value in asked.items())}")
        found: Json = outcome(said).json()
        return found

    def _path(self, name: str, *more: object) -> str:
        return path("api", "public", "v2", "prompts", name, *more)
