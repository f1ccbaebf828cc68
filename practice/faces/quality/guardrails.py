"""`/guardrails`: they judge content, and can be made stricter; when they are down, that is a state that the product shows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from practice.http.face import Ask, Call, Refusal, Reply, RouteModels, Shown
from practice.http.own_api import own_api, problem
from practice.http.resource import Resource
from practice.quality.faults import QualityFaults
from practice.quality.guardrails import Posture, judged
from practice.quality.registry import Registry

FACE = own_api(
    "guardrails", "The guardrails of a model route: what they find in a text, how strict they are, and what the product does meanwhile."
)
OF_ROUTE = "/guardrails/v1/routes/{route}"


class PostureSet(Ask):
    """How strict the guardrails are, whether high-risk tools may be called, and whether chat carries a banner."""

    strictness: Literal["usual", "strict"]
    high_risk_tools: Literal["open", "closed"]
    banner: bool


class Status(Shown):
    """Whether they answer, and with which chain. While they are down, no content is judged."""

    up: bool
    chain: int


class Routes(Shown):
    routes: list[str]


class Content(Ask):
    """A text to be judged, and where it would come in. It is kept nowhere."""

    content: str = Field(max_length=100_000)
    stage: Literal["input", "retrieved", "output", "tool_args"] = "input"


class Judgement(Shown):
    """The score (0 to 1: how likely it is an attack), the rule that weighs most, and what is done with it."""

    score: float
    rule: str
    stage: str
    action: Literal["allow", "block"]


def _known(call: Call) -> None:
    if call.path["route"] != call.state.route.alias:
        raise call.refuse(404, f"there is no route {call.path['route']}")


def _posture(call: Call) -> PostureSet:
    _known(call)
    return PostureSet.model_validate(vars(call.state.part(Posture)))


def _set(call: Call, wanted: PostureSet) -> None:
    """Make the guardrails stricter or as usual, close or open the high-risk tools, show the banner or not."""
    _known(call)
    vars(call.state.part(Posture)).update(wanted.model_dump(include=set(PostureSet.model_fields)))


Resource(FACE, "posture", OF_ROUTE + "/posture", PostureSet, _posture).takes(PostureSet, _set)


@FACE.reads("routes", "/guardrails/v1/routes", models=RouteModels(shows=Routes))
def routes(call: Call) -> Reply:
    """The model routes that are guarded."""
    return Reply({"routes": [call.state.route.alias]})


@FACE.reads("status", OF_ROUTE + "/status", models=RouteModels(shows=Status))
def status(call: Call) -> Reply:
    """Whether they are up."""
    _known(call)
    return Reply({"up": not call.state.part(QualityFaults).guardrails_down, "chain": call.state.part(Registry).serving[2]})


@FACE.reads("judge", OF_ROUTE + "/judge", "POST", models=RouteModels(asks=Content, shows=Judgement, refuses=(503,)))
def judge(call: Call) -> Reply:
    """Judge a text."""
    _known(call)
    wanted = call.ask(Content)
    if call.state.part(QualityFaults).guardrails_down:
        raise Refusal(problem(503, "guardrails_down", "the guardrails do not answer"))
    found = judged(wanted.content, call.state.part(Posture).strictness)
    return Reply({**vars(found), "stage": wanted.stage})
