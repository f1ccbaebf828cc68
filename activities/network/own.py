"""Firewalls and whatever else stands between assets, by our own contract (docs/api/network.json)."""

from activities.action import Call
from activities.kit.rest import RestClient
from activities.network.isolation import AssetOf, Isolation, IsolationReading


class OwnNetwork(RestClient):
    """Written under the etag and the epoch that were read."""

    async def read(self, call: Call, of: AssetOf) -> IsolationReading:
        said = await self.get(call, of.path)
        return IsolationReading(
            value=Isolation(isolated=said["isolated"]), version=said["etag"], epoch=said["epoch"], changed_by=said["changed_by"],
            openers=tuple(said["openers"]),
        )  # fmt: skip

    async def write(self, call: Call, of: AssetOf, isolated: bool, over: IsolationReading, epoch: int) -> None:
        await self.put(call, of.path, over.version, {"epoch": epoch, "isolated": isolated})
