"""Repository rulesets, and the rules in force for a branch (docs.github.com/rest/repos/rules)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from practice.faces.github.base import FACE, REPOSITORY, message, page, repository
from practice.http.face import Ask, Call, Refusal, Reply
from practice.services.repositories import Repository, Ruleset
from practice.world.state import JSON

_RULESETS = REPOSITORY + "/rulesets"


class RefNames(Ask):
    """Which branches are covered: full names or patterns."""

    include: list[str] = []
    exclude: list[str] = []


class Conditions(Ask):
    ref_name: RefNames


class FetchAndMerge(Ask):
    update_allows_fetch_and_merge: bool


class Rule(Ask):
    """A rule without parameters of its own, or `update`."""

    type: Literal["creation", "update", "deletion", "non_fast_forward"]
    parameters: FetchAndMerge | None = None


class Bypass(Ask):
    actor_id: int | None = None
    actor_type: Literal["Integration", "OrganizationAdmin", "RepositoryRole", "Team", "DeployKey"]
    bypass_mode: Literal["always", "pull_request"] = "always"


class NewRuleset(Ask):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    target: Literal["branch", "tag", "push"] = "branch"
    enforcement: Literal["active", "disabled", "evaluate"]
    bypass_actors: list[Bypass] = []
    conditions: Conditions | None = None
    rules: list[Rule] = []


class RulesetEdit(Ask):
    """The body of PUT: what is left out stays."""

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    target: Literal["branch", "tag", "push"] | None = None
    enforcement: Literal["active", "disabled", "evaluate"] | None = None
    bypass_actors: list[Bypass] | None = None
    conditions: Conditions | None = None
    rules: list[Rule] | None = None


@FACE.reads("rulesets.list", _RULESETS)
def rulesets(call: Call) -> Reply:
    """Without conditions and rules, as GitHub lists them."""
    found = repository(call)
    return page(call, [_summary(found, ruleset) for ruleset in found.rulesets.values()])


@FACE.writes("rulesets.create", _RULESETS)
def create(call: Call) -> Reply:
    """A name is given once per repository."""
    found, wanted = repository(call), call.ask(NewRuleset)
    _unique(found, wanted.name, None)
    now, names = call.stamp(), wanted.conditions.ref_name if wanted.conditions else RefNames()
    ruleset = Ruleset(
        call.world.number(), wanted.name, wanted.target, wanted.enforcement, names.include, names.exclude,
        _plain(wanted.rules), _plain(wanted.bypass_actors), now, now,
    )  # fmt: skip
    found.rulesets[ruleset.id] = ruleset
    call.did(_target(found, ruleset), None, _whole(found, ruleset))
    return Reply(_whole(found, ruleset), 201)


@FACE.reads("rulesets.get", _RULESETS + "/{id:int}")
def ruleset_of(call: Call) -> Reply:
    found = repository(call)
    return Reply(_whole(found, _known(call, found)))


@FACE.writes("rulesets.update", _RULESETS + "/{id:int}", "PUT")
def update(call: Call) -> Reply:
    found = repository(call)
    ruleset, wanted = _known(call, found), call.ask(RulesetEdit)
    before = _whole(found, ruleset)
    if wanted.name is not None:
        _unique(found, wanted.name, ruleset.id)
        ruleset.name = wanted.name
    ruleset.target = wanted.target or ruleset.target
    ruleset.enforcement = wanted.enforcement or ruleset.enforcement
    if wanted.conditions is not None:
        ruleset.include, ruleset.exclude = wanted.conditions.ref_name.include, wanted.conditions.ref_name.exclude
    if wanted.rules is not None:
        ruleset.rules = _plain(wanted.rules)
    if wanted.bypass_actors is not None:
        ruleset.bypass_actors = _plain(wanted.bypass_actors)
    if _whole(found, ruleset) != before:
        ruleset.updated_at = call.stamp()
    call.did(_target(found, ruleset), before, _whole(found, ruleset))
    return Reply(_whole(found, ruleset))


@FACE.writes("rulesets.delete", _RULESETS + "/{id:int}", "DELETE")
def delete(call: Call) -> Reply:
    found = repository(call)
    ruleset = _known(call, found)
    del found.rulesets[ruleset.id]
    call.did(_target(found, ruleset), _whole(found, ruleset), None)
    return Reply(None, 204)


@FACE.reads("rules.branch", REPOSITORY + "/rules/branches/{branch:path}")
def rules_of(call: Call) -> Reply:
    """The active rules of all rulesets that cover a branch. It need not exist."""
    found = repository(call)
    rules = [
        {**rule, "ruleset_source_type": "Repository", "ruleset_source": found.name, "ruleset_id": ruleset.id}
        for ruleset, rule in found.rules(call.path["branch"])
    ]
    return page(call, rules)


def _known(call: Call, found: Repository) -> Ruleset:
    ruleset = found.rulesets.get(int(call.path["id"]))
    if ruleset is None:
        raise Refusal(message(404, "Not Found"))
    return ruleset


def _unique(found: Repository, name: str, mine: int | None) -> None:
    if any(ruleset.name == name and ruleset.id != mine for ruleset in found.rulesets.values()):
        raise Refusal(message(422, "Validation Failed", errors=["Name must be unique"]))


def _plain(things: list[Any]) -> list[dict[str, Any]]:
    return [thing.model_dump(exclude_none=True) for thing in things]


def _target(found: Repository, ruleset: Ruleset) -> str:
    return f"{found.name}/rulesets/{ruleset.id}"


def _summary(found: Repository, ruleset: Ruleset) -> JSON:
    return {
        "id": ruleset.id,
        "name": ruleset.name,
        "target": ruleset.target,
        "source_type": "Repository",
        "source": found.name,
        "enforcement": ruleset.enforcement,
        "created_at": ruleset.created_at,
        "updated_at": ruleset.updated_at,
    }


def _whole(found: Repository, ruleset: Ruleset) -> JSON:
    return {
        **_summary(found, ruleset),
        "bypass_actors": ruleset.bypass_actors,
        "current_user_can_bypass": "never",
        "conditions": {"ref_name": {"include": ruleset.include, "exclude": ruleset.exclude}},
        "rules": ruleset.rules,
    }
