"""What a game day breaks, by playbook: data. The world is set so that a question is really asked."""

from typing import Any

from pydantic import BaseModel


class Scenario(BaseModel):
    """One exercise. `edits` set the world up, `faults` break it (docs/practice-platform.md); `story` is told on screen."""

    story: str
    service: str = "chat"
    edits: dict[str, Any] = {}
    faults: tuple[dict[str, Any], ...] = ()
    pace: float = 120.0
    # In shadow mode people mend it: what they do by the vendors' own doors, and when, in policy minutes after the incident was opened.
    by_hand: tuple[str, ...] = ()  # paths that are posted to
    mended_after: float = 20.0


SCENARIOS = {
    "llm_provider_outage": Scenario(
        story="The primary LLM provider starts to fail: 6 of 10 calls are answered 529. Its secondary is well, but its evals are 2 points below "
        "what may be used without asking, and one tier of tenants permits no other provider.",
        edits={"providers": {"borealis": {"parity": 0.93}}},
        faults=({"provider": "aurora", "kind": "overload", "rate": 0.6, "for_seconds": 2400},),
        by_hand=("/unleash/api/admin/projects/default/features/batch.enabled/environments/production/off",),
    ),
}
