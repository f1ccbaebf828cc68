"""`/practice`, continued: the hands on quality. What is published, what it spoils, and what goes wrong with judging."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import Field

from practice.faces.control.face import FACE
from practice.faces.quality.samples import Consent
from practice.http.face import Ask, Call, Reply
from practice.quality.faults import FACTORS, QualityFaults, Spoilt
from practice.quality.registry import PARTS, Registry, said


class Publish(Ask):
    """A new version that serves at once, as CI publishes it; and the answers that it spoils, by slice."""

    part: Literal["model", "prompt", "guard"]
    spoils: dict[str, str] | None = None
    rate: float = Field(0.5, ge=0, le=1)
    in_evals: bool = True
    garbled: bool = False
    percent: float = Field(100, gt=0, le=100)
    by: str = "ci"


class MoveModel(Ask):
    """The provider's floating name means another snapshot from now on; and the answers that it spoils, by slice."""

    provider: str = "aurora"
    snapshot: str = "aurora-large-4-2026-11-20"
    spoils: dict[str, str] | None = None
    rate: float = Field(0.5, ge=0, le=1)
    in_evals: bool = True


class SetJudging(Ask):
    """What is wrong with judging. `judge`: so much the judge model's scores are off; `few`: so few samples are judged."""

    stuck: bool | None = None
    nan: bool | None = None
    judge: float | None = Field(None, ge=-1, le=1)
    few: int | None = Field(None, ge=0)
    guardrails_down: bool | None = None
    consent: bool | None = None


class SetRelease(Ask):
    """What is known of a released triple."""

    triple: str
    blessed: bool | None = None
    blocklisted: bool | None = None


class SpoilAnswers(Ask):
    """Answers with these attributes are bad, so often; whatever serves."""

    name: str
    where: dict[str, str]
    rate: float = Field(0.5, ge=0, le=1)
    in_evals: bool = True


def _spoil(call: Call, name: str, where: dict[str, str], rate: float, *, in_evals: bool, garbled: bool = False) -> None:
    if unknown := [factor for factor in where if factor not in FACTORS]:
        raise call.refuse(422, f"there is no factor {unknown[0]}; there are {', '.join(FACTORS)}")
    call.state.part(QualityFaults).spoilt.append(Spoilt(name, tuple(sorted(where.items())), rate, in_evals, garbled))


def _state(call: Call) -> Reply:
    registry = call.state.part(Registry)
    sticky = {said(triple): share for triple, share in registry.sticky.items()}
    told = asdict(registry) | {"sticky": sticky, "served": None, "serving": said(registry.serving)}
    return Reply({"registry": told, "faults": asdict(call.state.part(QualityFaults))})


@FACE.reads("quality", "/practice/quality")
def quality(call: Call) -> Reply:
    return _state(call)


@FACE.writes("quality.publish", "/practice/quality/publishes")
def publish(call: Call) -> Reply:
    """Publish a version; with `percent` below 100 it is only a candidate that is being rolled out."""
    wanted, registry = call.ask(Publish), call.state.part(Registry)
    before = registry.serving
    number = registry.publish(wanted.part, wanted.by, call.now - call.world.clock.start)
    if wanted.percent < 100:
        registry.rollout.candidate, registry.rollout.percent = said(registry.serving), wanted.percent
        registry.entries[wanted.part].aliases["production"] = before[PARTS.index(wanted.part)]
    if wanted.spoils is not None:
        where = {wanted.part: str(number), **wanted.spoils}
        _spoil(call, f"{wanted.part} {number}", where, wanted.rate, in_evals=wanted.in_evals, garbled=wanted.garbled)
    call.did("quality/publishes", said(before), said(registry.serving))
    return _state(call)


@FACE.writes("quality.moves", "/practice/quality/moves")
def move(call: Call) -> Reply:
    """Move the provider's floating name."""
    wanted, registry = call.ask(MoveModel), call.state.part(Registry)
    before, registry.floating[wanted.provider] = registry.floating.get(wanted.provider), wanted.snapshot
    if wanted.spoils is not None:
        _spoil(call, wanted.snapshot, {"snapshot": wanted.snapshot, **wanted.spoils}, wanted.rate, in_evals=wanted.in_evals)
    call.did("quality/moves", before, wanted.snapshot)
    return _state(call)


@FACE.writes("quality.judging", "/practice/quality/judging")
def judging(call: Call) -> Reply:
    """Let judging go wrong, or right again."""
    wanted, faults = call.ask(SetJudging), call.state.part(QualityFaults)
    for name, value in wanted.model_dump(exclude={"consent"}, exclude_unset=True).items():
        setattr(faults, name, value)
    if wanted.consent is not None:
        call.state.part(Consent).given = wanted.consent
    call.did("quality/judging", None, wanted.model_dump(exclude_unset=True))
    return _state(call)


@FACE.writes("quality.releases", "/practice/quality/releases")
def release(call: Call) -> Reply:
    """Bless a triple, take a blessing back, or put a triple on the blocklist."""
    wanted, registry = call.ask(SetRelease), call.state.part(Registry)
    found = [one for one in registry.releases if said(one.triple) == wanted.triple]
    if not found:
        raise call.refuse(404, f"there is no release {wanted.triple}")
    for one in found:
        if wanted.blessed is not None:
            one.blessed = call.now - call.world.clock.start if wanted.blessed else None
        one.blocklisted = one.blocklisted if wanted.blocklisted is None else wanted.blocklisted
    call.did("quality/releases", None, wanted.model_dump(exclude_unset=True))
    return _state(call)


@FACE.writes("quality.spoil", "/practice/quality/faults")
def spoil(call: Call) -> Reply:
    """Spoil answers by slice."""
    wanted = call.ask(SpoilAnswers)
    _spoil(call, wanted.name, wanted.where, wanted.rate, in_evals=wanted.in_evals)
    call.did("quality/faults", None, wanted.name)
    return _state(call)


@FACE.writes("quality.clear", "/practice/quality/faults", "DELETE")
def clear(call: Call) -> Reply:
    """Nothing spoils answers any more."""
    faults = call.state.part(QualityFaults)
    before, faults.spoilt = [one.name for one in faults.spoilt], []
    call.did("quality/faults", before, [])
    return _state(call)
