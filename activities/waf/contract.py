"""The edge by our own contract (docs/api/waf.json): rules are written under the etag and the epoch that were read."""

from collections.abc import Sequence
from datetime import timedelta

from activities.action import Call, NotYet, Refused
from activities.kit.http import outcome, pages
from activities.kit.rest import Json, RestClient
from activities.kit.setting import Reading
from activities.kit.setting.write import SOON
from activities.kit.words.urls import path
from activities.waf.rules import ABSENT, ENFORCED, Blocking, Entries, RuleOf, RuleReading
from activities.waf.traffic import Log, Row, RuleList

ELSEWHERE = "192.0.2.200"  # an address of nobody (RFC 5737), for a request of which only the key counts


class Waf(RestClient):
    async def read(self, call: Call, of: RuleOf) -> RuleReading:
        said = await self.get(call, of.path)
        value = Blocking(at=said["at"], addresses=tuple(said["addresses"]), key=said["key"])
        return RuleReading(value=value, version=said["etag"], epoch=said["epoch"], changed_by=said["changed_by"])

    async def write(self, call: Call, of: RuleOf, wanted: Blocking, over: RuleReading, epoch: int) -> None:
        whom = {"addresses": [], "key": ""} if wanted.at == ABSENT else {"addresses": list(wanted.addresses), "key": wanted.key}
        await self.put(call, of.path, over.version, {"epoch": epoch, "at": wanted.at, **whom})

    async def tried(self, call: Call, of: RuleOf, value: Blocking) -> str:
        """Every address of it, and the key, as a request would come."""
        if value.at == ABSENT:
            return ""
        samples = [(one.partition("/")[0], value.key) for one in value.addresses] or [(ELSEWHERE, value.key)]
        for address, key in samples:
            said: Json = outcome(await self._http.ask(call, "POST", "/v1/probes", json={"address": address, "key": key})).json()
            rule = said["rule"] if value.at == ENFORCED else said["would"]
            if value.at == ENFORCED and said["let_in"]:
                raise NotYet(f"accepted, but a request of the attack is let in by rule {said['rule']}", after=SOON)
            if value.at != ENFORCED and rule != of.priority and said["let_in"]:
                raise NotYet(f"accepted, but {of} would not deny a request of the attack", after=SOON)
        what = "is denied" if value.at == ENFORCED else "would be denied"
        return f"a request like {len(samples)} of the attack {what} at the edge"

    async def seen(self, call: Call, window: timedelta) -> Log:
        kept = True

        async def page(cursor: int) -> tuple[list[Json], int | None]:
            nonlocal kept
            said = await self.get(call, "/v1/requests", window=f"{window.total_seconds():g}", cursor=cursor)
            kept = kept and said["logged"]
            return said["requests"], said["next"]

        rows = [Row(**one) async for one in pages("the log of the edge", 0, page)]
        return Log(tuple(rows), kept=kept)

    async def listed(self, call: Call) -> RuleList:
        said = await self.get(call, "/v1/rules")
        lists = {int(name): tuple(entries) for name, entries in said["allowing"].items()}
        return RuleList((*said["denying"], *lists), lists)

    async def allowed(self, call: Call, priority: int) -> Reading[Entries]:
        said = await self.get(call, _list(priority))
        value = Entries(addresses=tuple(said["addresses"]))
        return Reading[Entries](value=value, version=said["etag"], epoch=said["epoch"], changed_by=said["changed_by"])

    async def allow(self, call: Call, priority: int, entries: Sequence[str], over: Reading[Entries], epoch: int) -> None:
        if not entries:
            raise Refused(f"nothing would be left on allow-list {priority}: people decide what it is for")
        await self.put(call, _list(priority), over.version, {"epoch": epoch, "addresses": list(entries)})


def _list(priority: int) -> str:
    return path("v1", "allow-lists", str(priority))
