"""Cloud Armor (cloud.google.com/compute/docs/reference/rest/v1/securityPolicies), and what it has decided, in Cloud Logging.

A rule's priority is its key, and a request has no id of ours: the policy is read first, and its fingerprint must be the one that was read when a
rule is written. Nothing at Google holds us to that between the two, so that a late write is looked for afterwards. Operations are polled.
"""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx

from activities.action import Call, NotYet, Refused
from activities.kit.http import Conflict, HttpClient, outcome, pages
from activities.kit.rest import Json
from activities.kit.setting import Reading
from activities.kit.setting.write import SOON
from activities.kit.words.redact import redact
from activities.kit.words.urls import path
from activities.waf.rules import ABSENT, ENFORCED, PREVIEW, Blocking, Entries, RuleOf, RuleReading, expression
from activities.waf.traffic import DENIED, FAILED, OK, Log, Row, RuleList
from activities.waf.words import KEY_HEADER

PAGE = 1000
POLLED_EVERY = 0.3  # seconds
BY = "by "  # before who wrote a rule, in its description
LONGEST = 64  # signs of a description
LAST = 2_147_483_647  # the priority of the rule that every policy has
TURNED_AWAY = frozenset({401, 403})


class CloudArmor:
    """One policy. `patience`: seconds that an operation is waited for."""

    def __init__(self, compute: HttpClient, logging: HttpClient, *, project: str, policy: str, patience: float = 3.0) -> None:
        self._compute, self._logging, self._project, self._policy, self._patience = compute, logging, project, policy, patience

    async def read(self, call: Call, of: RuleOf) -> RuleReading:
        """By the policy whole: a rule that is not among its rules is surely not there."""
        policy = await self.policy(call)
        found = next((one for one in policy["rules"] if one["priority"] == of.priority), None)
        if found is None:
            return RuleReading(value=Blocking(), fingerprint=policy["fingerprint"])
        return RuleReading(value=_blocking(found), changed_by=_author(found), fingerprint=policy["fingerprint"])

    async def write(self, call: Call, of: RuleOf, wanted: Blocking, over: RuleReading, epoch: int) -> None:
        if (now := await self.read(call, of)).fingerprint != over.fingerprint:
            raise Conflict(f"the policy {self._policy} was changed meanwhile")
        if wanted.at == ABSENT:
            if now.value.at != ABSENT:
                await self._ask(call, "removeRule", of.priority)
        elif now.value.at == ABSENT:
            await self._add(call, of, _rule(call, of.priority, wanted))
        else:
            await self._ask(call, "patchRule", of.priority, _rule(call, of.priority, wanted))

    async def _add(self, call: Call, of: RuleOf, rule: Json) -> None:
        try:
            await self._ask(call, "addRule", None, rule)
        except Refused as no:
            if (await self.read(call, of)).value.at != ABSENT:  # the priority was taken meanwhile, which Google calls a bad request
                raise Conflict(no.message) from no
            raise

    async def tried(self, call: Call, of: RuleOf, value: Blocking) -> str:
        """The rule by itself. What it does to requests is seen in the log, some time later."""
        if value.at == ABSENT:
            return ""
        said = (await self._compute.read(call, self._path("getRule"), priority=of.priority)).json()
        if not _blocking(said).same(value):
            raise NotYet(f"accepted, but rule {of.priority} shows {_blocking(said)}", after=SOON)
        return f"getRule shows it {'enforced' if value.at == ENFORCED else 'in preview'}"

    async def seen(self, call: Call, window: timedelta) -> Log:
        """By the load balancer's log: where that is sampled, so is this. Which key a request bears is in no log; a rule of ours tells it."""
        rules = {one["priority"]: _key(one) for one in (await self.policy(call))["rules"]}
        since = (call.at - window / call.pace).isoformat()
        kept = (
            "".join(('resource.type="http_load_balancer" AND jsonPayload.enforcedSecurityPolicy.name="', self._policy, '"')),
            "".join(('timestamp>="', since, '"')),
        )

        async def page(token: str) -> tuple[list[Json], str | None]:
            body = {
                "resourceNames": [f"projects/{self._project}"],
                "filter": " AND ".join(kept),
                "orderBy": "timestamp asc",
                "pageSize": PAGE,
            }
            said = outcome(
                await self._logging.ask(call, "POST", "/v2/entries:list", json={**body, **({"pageToken": token} if token else {})})
            )
            told: Json = said.json()
            return told.get("entries", []), told.get("nextPageToken") or None

        counts = Counter([_row(one, rules) async for one in pages("the log of the load balancer", "", page)])
        rows = tuple(Row(*kind, n) for kind, n in counts.items())
        return Log(rows, kept=bool(rows), names_keys=False)

    async def listed(self, call: Call) -> RuleList:
        found = (await self.policy(call))["rules"]
        allowing = {one["priority"]: _ranges(one) for one in found if one["action"] == "allow" and one["priority"] != LAST}
        return RuleList(tuple(one["priority"] for one in found), {name: entries for name, entries in allowing.items() if entries})

    async def allowed(self, call: Call, priority: int) -> Reading[Entries]:
        found = next((one for one in (await self.policy(call))["rules"] if one["priority"] == priority), None)
        if found is None or found["action"] != "allow" or not _ranges(found):
            raise Refused(f"rule {priority} of {self._policy} is no allow-list of addresses")
        return Reading[Entries](value=Entries(addresses=_ranges(found)), changed_by=_author(found))

    async def allow(self, call: Call, priority: int, entries: Sequence[str], over: Reading[Entries], epoch: int) -> None:
        if not entries:
            raise Refused(f"nothing would be left in rule {priority}: people decide what it is for")
        if (await self.allowed(call, priority)).value != over.value:
            raise Conflict(f"rule {priority} was changed meanwhile")
        body = {"match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": list(entries)}}, "description": _says(call)}
        await self._ask(call, "patchRule", priority, body)

    async def policy(self, call: Call) -> Json:
        said: Json = (await self._compute.read(call, self._path())).json()
        return said

    async def _ask(self, call: Call, verb: str, priority: int | None, body: Json | None = None) -> None:
        params = {} if priority is None else {"priority": priority}
        said: Json = (await self._compute.write(call, "POST", self._path(verb), params=params, json=body)).json()
        await self._finished(call, said)

    async def _finished(self, call: Call, operation: Json) -> None:
        """Poll while patience lasts; the caller reads back. Raises `Refused` when it was given up."""
        until = time.monotonic() + self._patience
        while operation["status"] != "DONE" and time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                where = path("compute", "v1", "projects", self._project, "global", "operations", operation["name"])
                said = await self._compute.ask(call, "GET", where)
                operation = said.json() if said.is_success else operation
            if operation["status"] != "DONE":
                await asyncio.sleep(POLLED_EVERY)
        if errors := operation.get("error", {}).get("errors"):
            raise Refused(f"accepted, but Cloud Armor gave it up: {redact(str(errors[0].get('message', errors[0])))}")

    def _path(self, verb: str = "") -> str:
        whole = ("compute", "v1", "projects", self._project, "global", "securityPolicies", self._policy)
        return path(*whole, verb) if verb else path(*whole)


def _says(call: Call) -> str:
    return (BY + call.incident_id)[:LONGEST]


def _author(rule: Json) -> str:
    said = str(rule.get("description", ""))
    return said.removeprefix(BY) if said.startswith(BY) else ""


def _rule(call: Call, priority: int, wanted: Blocking) -> Json:
    match: Json = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": list(wanted.addresses)}}
    if wanted.key:
        match = {"expr": {"expression": expression(wanted)}}
    return {
        "priority": priority, "action": "deny(403)", "match": match, "preview": wanted.at == PREVIEW, "description": _says(call),
    }  # fmt: skip


def _ranges(rule: Json) -> tuple[str, ...]:
    return tuple(rule["match"].get("config", {}).get("srcIpRanges", ()))


def _key(rule: Json) -> str:
    """The key whose bearers a rule of ours meets."""
    said = str(rule["match"].get("expr", {}).get("expression", ""))
    begins = "".join(("request.headers['", KEY_HEADER, "'] == '"))
    return said.rpartition(begins)[2].removesuffix("'") if begins in said else ""


def _blocking(rule: Json) -> Blocking:
    """Raises `Refused` for a rule that is not as we make it: nobody knows whom it meets."""
    at = PREVIEW if rule.get("preview") else ENFORCED
    if rule["action"] == "deny(403)" and (ranges := _ranges(rule)) and "*" not in ranges:
        return Blocking(at=at, addresses=ranges)
    key = _key(rule)
    parts = str(rule["match"].get("expr", {}).get("expression", "")).split("'")
    addresses = tuple(one for before, one in itertools.pairwise(parts) if before.endswith("inIpRange(origin.ip, "))
    made = Blocking(at=at, addresses=addresses, key=key)
    if rule["action"] != "deny(403)" or not key or expression(made) != rule["match"]["expr"]["expression"]:
        raise Refused(f"rule {rule['priority']} is not as we make it: nobody knows whom it meets")
    return made


def _row(entry: Json, rules: dict[int, str]) -> tuple[str, str, str, int, int]:
    payload: Any = entry["jsonPayload"]
    enforced, preview = payload["enforcedSecurityPolicy"], payload.get("previewSecurityPolicy") or {}
    would = preview.get("priority", 0) if preview.get("outcome") == "DENY" else 0
    status = int(entry["httpRequest"].get("status", 0))
    result = DENIED if enforced.get("outcome") == "DENY" else FAILED if status in TURNED_AWAY else OK
    return (
        str(entry["httpRequest"]["remoteIp"]),
        rules.get(would) or rules.get(enforced["priority"], ""),
        result,
        int(enforced["priority"]),
        would,
    )
