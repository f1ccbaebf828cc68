"""Our own policy router (docs/api/policy.json): limits and quotas under an etag that changes with every write."""

from activities.action import Call
from activities.budgets.by_hand import LimitOf
from activities.budgets.limit import Limit
from activities.kit.rest import RestClient
from activities.kit.setting import Reading


class PolicyRouter(RestClient):
    """The policy router as a store of limits."""

    async def read(self, call: Call, scope: str, name: str) -> Reading[Limit]:
        said = await self.get(call, LimitOf(scope=scope, name=name).path)
        limit = Limit.model_validate({field: said[field] for field in Limit.model_fields})
        return Reading[Limit](value=limit, version=said["etag"], changed_by=said["changed_by"])

    async def write(self, call: Call, scope: str, name: str, limit: Limit, over: Limit, version: str) -> None:
        await self.put(call, LimitOf(scope=scope, name=name).path, version, limit.model_dump(mode="json"))
