"""The agent runtime of our own product (docs/api/agents.json): settings with an etag and an epoch, and what it shows."""

from typing import Any

from activities.action import Call
from activities.kit.http import pages
from activities.kit.rest import Json, RestClient, RestLook, RestResource
from activities.kit.words.shell import Var
from activities.kit.words.urls import path

BASE, TOKEN = Var("AGENTS_URL"), Var("AGENTS_TOKEN")
FORBIDDEN = (401, 403)


class AgentRuntime(RestClient):
    """Sessions, runs, schedules and tools. Content of a session is only in its export."""

    async def runs(self, call: Call, **whose: Any) -> list[Json]:
        """Every run of a `tenant`, an `agent`, in a `state`, or `under` a trace, to the end of the list."""

        async def page(after: str) -> tuple[list[Any], str | None]:
            said = await self.get(call, "/v1/runs", **whose, after=after or None)
            return said["runs"], said["next"]

        return [one async for one in pages("the list of runs", "", page)]

    async def export(self, call: Call, session: str) -> bytes:
        """Everything in a session, as the runtime gives it."""
        return (await self._http.read(call, path("v1", "sessions", session, "export"))).content

    async def let_through(self, call: Call, session: str, tool: str) -> tuple[bool, int]:
        """Whether a call of a tool with the session's tokens is let through, and the status that says so. Raises for anything else."""
        said = await self._http.ask(call, "POST", path("v1", "sessions", session, "try"), json={"tool": tool})
        if said.status_code not in FORBIDDEN:
            said.raise_for_status()
        return said.status_code not in FORBIDDEN, said.status_code

    async def cancel(self, call: Call, body: Json) -> Json:
        """Ask a run to end."""
        said: Json = (await self._http.write(call, "POST", "/v1/cancellations", json=body)).json()
        return said

    async def undo(self, call: Call, tool_call: str, reason: str) -> None:
        """Undo what one call of a tool did, in the system of its owner."""
        await self._http.write(call, "POST", path("v1", "tool-calls", tool_call, "undo"), json={"key": call.key, "reason": reason})

    async def replay(self, call: Call, session: str) -> Json:
        """Replay the attack that was captured in a session, in the sandbox."""
        said: Json = (await self._http.write(call, "POST", "/v1/replays", json={"key": call.key, "session": session})).json()
        return said


class RuntimeLook(RestLook):
    base, token = BASE, TOKEN


class RuntimeResource(RestResource):
    base, token = BASE, TOKEN
