"""The steps that both sides take. One step is one line in a file, with the instant at which it was taken."""

import os
import time
from pathlib import Path
from typing import NamedTuple

from activities.action import Call, Effect, Order, Risk, Role, System, action

FIRST = ("declare", "snapshot", "war room", "page", "freeze")  # as one can take them side by side, but for the first
MITIGATION = ("failover", "degrade")  # before a person is asked
APPROVED = ("canary 1", "canary 2", "canary 3", "recover", "unfreeze", "post-mortem")  # after the person's yes


class Taken(NamedTuple):
    """One step of one incident, and when it was taken: seconds of the machine's monotonic clock."""

    at: float
    incident: str
    step: str


class StepFile:
    """Where both sides write what they did. One line is one write, so that processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, incident: str, step: str) -> None:
        line = f"{time.monotonic()}\t{incident}\t{step}\n".encode()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def taken(self) -> list[Taken]:
        if not self.path.exists():
            return []
        lines = (line.split("\t") for line in self.path.read_text().splitlines())
        return [Taken(float(at), incident, step) for at, incident, step in lines]


class TakeStep(Order, target="step {name}", effect="take the step {name}"):
    undone = "nothing to undo: it is a line in a file"

    name: str


class Approved(TakeStep, target="step {name}", effect="take the step {name}"):
    """A step that a person must have approved."""


class Steps(System):
    def __init__(self, file: StepFile) -> None:
        self._file = file

    @action("steps.take", risk=Risk.C1, on_suspicion=True)
    async def take(self, order: TakeStep, call: Call) -> Effect:
        """A narrow change, that automation may make alone."""
        self._file.take(call.incident_id, order.name)
        return order.done("the line in the file")

    @action("steps.take_approved", risk=Risk.C2, asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER))
    async def take_approved(self, order: Approved, call: Call) -> Effect:
        """A broad change, that a person has approved."""
        self._file.take(call.incident_id, order.name)
        return order.done("the line in the file")
