"""Issues, comments and issue search of GitHub's REST API (docs.github.com/rest/issues)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from practice.faces.github.base import FACE, message, page, repository_name
from practice.http.face import Ask, Call, Refusal, Reply, described
from practice.world.state import JSON

_ISSUES = "/github/repos/{owner}/{repo}/issues"
_QUALIFIER = re.compile(r'(\w+):("[^"]*"|\S+)')


class Issues(dict[str, list[JSON]]):
    """Owner/repository → its issues."""


class NewIssue(Ask):
    title: Annotated[str, Field(min_length=1, max_length=256)]
    body: str | None = None
    labels: list[str] | None = None
    assignees: list[str] | None = None


class IssueEdit(Ask):
    title: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    body: str | None = None
    state: Literal["open", "closed"] | None = None
    state_reason: Literal["completed", "not_planned", "duplicate", "reopened"] | None = None
    labels: list[str] | None = None
    assignees: list[str] | None = None


class NewComment(Ask):
    body: Annotated[str, Field(min_length=1, max_length=65_536)]


@FACE.writes("issues.create", _ISSUES)
def create(call: Call) -> Reply:
    """Open an issue. There is no idempotency key: twice is two issues."""
    wanted = call.ask(NewIssue)
    issues, now = _issues(call), call.stamp()
    number = call.world.number()
    url = f"https://github.example/{repository_name(call)}/issues/{number}"
    issue: JSON = {
        "id": 1_000_000 + number,
        "number": number,
        "url": url,
        "html_url": url,
        "title": wanted.title,
        "body": wanted.body,
        "user": {"login": "practice-bot"},
        "labels": _labels(wanted.labels or []),
        "assignees": [{"login": login} for login in wanted.assignees or []],
        "state": "open",
        "state_reason": None,
        "comments": [],
        "created_at": now,
        "updated_at": now,
        "closed_at": None,
    }
    issues.append(issue)
    call.did(f"{repository_name(call)}/issues/{number}", None, _essence(issue))
    return Reply(_issue_json(issue), 201)


@FACE.reads("issues.list", _ISSUES)
def issues_list(call: Call) -> Reply:
    """Newest first; by `state` (open unless said otherwise), `labels`, and `since` (when it was last changed)."""
    state, since, labels = call.one("state", "open"), call.one("since"), {label for label in call.one("labels").split(",") if label}
    found = [
        _issue_json(issue)
        for issue in reversed(_issues(call))
        if state in {"all", issue["state"]} and issue["updated_at"] >= since and labels <= {label["name"] for label in issue["labels"]}
    ]
    return page(call, found)


@FACE.reads("issues.get", _ISSUES + "/{number:int}")
def issue(call: Call) -> Reply:
    return Reply(_issue_json(_known(call)))


@FACE.writes("issues.update", _ISSUES + "/{number:int}", "PATCH")
def update(call: Call) -> Reply:
    found, wanted = _known(call), call.ask(IssueEdit)
    before = _essence(found)
    for name, value in wanted.model_dump(exclude_unset=True).items():
        if name == "labels":
            found["labels"] = _labels(value or [])
        elif name == "assignees":
            found["assignees"] = [{"login": login} for login in value or []]
        else:
            found[name] = value
    found["closed_at"] = (found["closed_at"] or call.stamp()) if found["state"] == "closed" else None
    if found["state"] == "closed" and not found["state_reason"]:
        found["state_reason"] = "completed"
    found["updated_at"] = call.stamp()
    call.did(f"{repository_name(call)}/issues/{found['number']}", before, _essence(found))
    return Reply(_issue_json(found))


@FACE.reads("comments.list", _ISSUES + "/{number:int}/comments")
def comments(call: Call) -> Reply:
    return page(call, _known(call)["comments"])


@FACE.writes("comments.create", _ISSUES + "/{number:int}/comments")
def comment(call: Call) -> Reply:
    """Add a comment. Twice is two comments."""
    found, wanted = _known(call), call.ask(NewComment)
    now = call.stamp()
    added = {
        "id": 2_000_000 + call.world.number(),
        "body": wanted.body,
        "user": {"login": "practice-bot"},
        "created_at": now,
        "updated_at": now,
        "html_url": f"{found['html_url']}#comment",
    }
    found["comments"].append(added)
    found["updated_at"] = now
    call.did(f"{repository_name(call)}/issues/{found['number']}/comments", None, wanted.body)
    return Reply(added, 201)


@FACE.reads("search.issues", "/github/search/issues")
def search(call: Call) -> Reply:
    """Words and the qualifiers repo, in, is, state and label."""
    text = call.one("q")
    if not text:
        raise Refusal(message(422, "Validation Failed", errors=[{"resource": "Search", "field": "q", "code": "missing"}]))
    qualifiers = [(name, value.strip('"')) for name, value in _QUALIFIER.findall(text) if name in _TESTS]
    rest = _QUALIFIER.sub(lambda m: "" if m.group(1) in _TESTS else m.group(0), text)
    words = [(quoted or plain).lower() for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', rest)]
    places = [place for name, value in qualifiers if name == "in" for place in value.split(",")] or ["title", "body"]
    found = [
        _issue_json(issue)
        for repository, issues in call.state.part(Issues).items()
        for issue in reversed(issues)
        if all(_TESTS[name](repository, issue, value) for name, value in qualifiers)
        and all(word in " ".join(_text(issue, place) for place in places) for word in words)
    ]
    return page(call, found, shown=lambda rows: {"total_count": len(found), "incomplete_results": False, "items": rows})


_TESTS: dict[str, Any] = {
    "repo": lambda repository, issue, value: repository == value,
    "in": lambda repository, issue, value: True,
    "is": lambda repository, issue, value: value in {"issue", issue["state"]},
    "type": lambda repository, issue, value: value == "issue",
    "state": lambda repository, issue, value: issue["state"] == value,
    "label": lambda repository, issue, value: value in {label["name"] for label in issue["labels"]},
}


def _text(issue: JSON, place: str) -> str:
    if place == "comments":
        return " ".join(comment["body"] for comment in issue["comments"]).lower()
    return (issue.get(place) or "").lower()


def _issues(call: Call) -> list[JSON]:
    return call.state.part(Issues).setdefault(repository_name(call), [])


def _known(call: Call) -> JSON:
    found = next((issue for issue in _issues(call) if issue["number"] == call.path["number"]), None)
    if found is None:
        raise Refusal(message(404, "Not Found"))
    return found


def _issue_json(issue: JSON) -> JSON:
    return {**issue, "comments": len(issue["comments"])}


def _labels(names: list[str]) -> list[JSON]:
    return [{"name": name, "color": "ededed", "default": False} for name in dict.fromkeys(names)]


def _essence(issue: JSON) -> JSON:
    essence = described(issue, "title", "body", "state", "state_reason", "assignees")
    return {**essence, "labels": [label["name"] for label in issue["labels"]]}
