"""Connections that are tried, from where they would be made (docs/api/flows.json): the network itself says whether it lets them through."""

from activities.action import Call, Value
from activities.kit.http import HttpClient, outcome


class Flow(Value):
    """What came of it in one place. None: nobody could try. `forensic`: a connection from where it is examined."""

    place: str
    inward: bool | None
    outward: bool | None
    forensic: bool | None


class FlowProbe:
    """Those who try: one stands in every place, beside the assets, and one outside."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def tried(self, call: Call, asset: str) -> tuple[Flow, ...]:
        """In every place where the asset runs. Nothing is sent over a connection that comes about."""
        said = outcome(await self._http.ask(call, "POST", "/v1/probes", json={"asset": asset})).json()
        return tuple(Flow(**one) for one in said["flows"])
