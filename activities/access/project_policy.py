"""The IAM policy of a project of Google Cloud (cloud.google.com/resource-manager/reference/rest/v3/projects): read and written whole.

Version 3 is asked for and written: with an older one conditions are left out of what is read, and lost by what is written. The etag that was
read goes along with every write: without one Google would overwrite what others changed meanwhile.
"""

from typing import Any

from activities.action import Call, Refused
from activities.kit.http import HttpClient, outcome
from activities.kit.words.urls import path

Json = dict[str, Any]
VERSION = 3
SET_POLICY = "resourcemanager.projects.setIamPolicy"


class ProjectPolicies:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def read(self, call: Call, project: str) -> Json:
        asked = {"options": {"requestedPolicyVersion": VERSION}}
        said: Json = outcome(await self._http.ask(call, "POST", _of(project, "getIamPolicy"), json=asked)).json()
        if not said.get("etag"):
            raise Refused(f"the policy of {project} came without an etag: nothing is written that others may have changed meanwhile")
        return said

    async def write(self, call: Call, project: str, policy: Json, *, mask: str) -> None:
        """Raises `Conflict` when the policy is not the one any more whose etag it carries."""
        wanted = {"policy": {**policy, "version": VERSION}, "updateMask": mask}
        await self._http.write(call, "POST", _of(project, "setIamPolicy"), json=wanted)

    async def may(self, call: Call, project: str, *permissions: str) -> set[str]:
        """Which of them we have ourselves."""
        asked = {"permissions": list(permissions)}
        return set(
            outcome(await self._http.ask(call, "POST", _of(project, "testIamPermissions"), json=asked)).json().get("permissions", [])
        )


def _of(project: str, verb: str) -> str:
    """Google's verbs stand after a colon, which is no part of the name before."""
    return path("v3", "projects", project) + f":{verb}"
