"""Replaying a captured attack and other ways to say it against the fix (A.3 R1). It runs in the sandbox of the platform: only counts come back."""

from datetime import timedelta
from typing import ClassVar

from activities.action import Call, Effect, NotYet, Order, Patience, Risk, Role
from activities.agents.agent_runtime import BASE, TOKEN, AgentRuntime
from activities.kit.fence import by_now
from activities.kit.operation import At, Operation, Progress
from activities.kit.words.shell import address, curl
from activities.kit.words.urls import path
from activities.values import Value

LOOK_AGAIN = timedelta(seconds=20)  # policy time
COUNTS = ("variants", "transformations", "bypassed", "benign", "benign_refused", "benign_refused_usually")


class Replay(
    Order, target="session/{session}/replay", effect="replay the attack of session {session}, and other ways to say it, in the sandbox"
):
    """`round`: which replay of it; another one is another run."""

    undone: ClassVar[str] = "nothing to undo: it runs in a sandbox, and calls nothing outside"

    session: str
    round: int = 1

    def by_hand(self) -> tuple[str, ...]:
        body = {"key": f"by-hand-{self.session}-{self.round}", "session": self.session}
        bearer = ("Authorization: Bearer ", TOKEN)
        return (
            curl("POST", address(BASE, path("v1", "replays")), bearer, body=body),
            curl("GET", address(BASE, path("v1", "replays")), bearer),
        )


class ReplayCounts(Value):
    """What a replay has shown. `benign_refused_usually`: of innocent requests, by what held before."""

    variants: int = 0
    transformations: int = 0
    bypassed: int = 0
    benign: int = 0
    benign_refused: int = 0
    benign_refused_usually: int = 0

    @classmethod
    def of(cls, done: Effect) -> "ReplayCounts":
        """As a replay that has ended tells it."""
        return cls.model_validate({name: done.after[name] for name in COUNTS})

    @property
    def more_refused(self) -> float | None:
        """How many more innocent requests are refused than usual, as a share. None: none were tried."""
        return (self.benign_refused - self.benign_refused_usually) / self.benign if self.benign else None

    @property
    def summary(self) -> str:
        more = (
            "no innocent request was tried"
            if self.more_refused is None
            else f"{100 * self.more_refused:+.1f} points of innocent ones refused"
        )
        return f"{self.bypassed} of {self.variants} variants by {self.transformations} transformations got through; {more}"


class AttackReplays(
    Operation[Replay], name="agents.replay", risk=Risk.C0, asks=(Role.AI_ML_LEAD, Role.SECURITY_LEAD), patience=Patience.WATCH
):
    """Replays of captured attacks."""

    def __init__(self, runtime: AgentRuntime) -> None:
        self._runtime = runtime

    async def find(self, call: Call, order: Replay) -> str | None:
        found = (await self._runtime.get(call, "/v1/replays", key=call.key))["replays"]
        return str(found[0]["id"]) if found else None

    async def start(self, call: Call, order: Replay) -> str:
        return str((await self._runtime.replay(call, order.session))["id"])

    async def status(self, call: Call, order: Replay, id: str) -> Progress:
        """Raises `NotYet` while it runs: the next attempt looks again."""
        said = await self._runtime.get(by_now(call), path("v1", "replays", id))
        if said["state"] != "done":
            raise NotYet(f"replay {id} runs", after=LOOK_AGAIN / call.pace)
        counts = ReplayCounts(**{name: said[name] for name in COUNTS})
        return Progress(at=At.DONE, says=counts.summary, after=counts.model_dump())

    async def verify(self, call: Call, order: Replay, id: str) -> str:
        said = await self._runtime.get(call, path("v1", "replays", id))
        return f"replay {id} of session {said['session']} is {said['state']}"
