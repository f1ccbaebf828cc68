"""`/osv`: the API of OSV (google.github.io/osv.dev/api): what is known of a version, and one advisory by its id."""

from __future__ import annotations

from pydantic import Field

from practice.http.face import Ask, Call, Face, Refusal, Reply
from practice.supply.cast import supply

FACE = Face(
    "osv",
    refused=lambda status, text: Reply({"code": {404: 5}.get(status, 3), "message": text}, status),
    authorised=lambda headers: True,  # it is open to everybody
)


class Named(Ask):
    name: str = Field(min_length=1)
    ecosystem: str = Field(min_length=1)


class Asked(Ask):
    version: str = ""
    package: Named
    page_token: str = ""


@FACE.reads("query", "/osv/v1/query", "POST")
def query(call: Call) -> Reply:
    """Every advisory that names this version, by its list or its ranges as the database has them. A withdrawn one is left out."""
    asked, there = call.ask(Asked), supply(call.state, call.now)
    found = [
        one.record
        for one in there.advisories.values()
        if not one.withdrawn
        and one.record["affected"][0]["package"] == {**one.record["affected"][0]["package"], **asked.package.model_dump()}
        and (not asked.version or asked.version in one.record["affected"][0]["versions"])
    ]
    return Reply({"vulns": found} if found else {})


@FACE.reads("vulns.get", "/osv/v1/vulns/{id}")
def vulnerability(call: Call) -> Reply:
    """One advisory, by its id or an alias that the database knows as its own entry."""
    found = next((one for one in supply(call.state, call.now).advisories.values() if call.path["id"] in (one.id, one.cve)), None)
    if found is None:
        raise Refusal(Reply({"code": 5, "message": "Bug not found."}, 404))
    return Reply(found.record)
