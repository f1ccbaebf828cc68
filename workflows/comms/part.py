"""What every part of the communications stands on: the incident, one clock, and how this organisation speaks."""

from dataclasses import dataclass, field

from activities.organisation.communications import Communications
from workflows.comms.cadence import Cadence
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.people.background import BackgroundTasks
from workflows.people.questions import Questions


@dataclass
class Shared:
    state: IncidentState
    invoker: Invoker
    questions: Questions
    cadence: Cadence
    background: BackgroundTasks
    words: Communications = field(default_factory=Communications)  # the organisation's own, once they were read


class Part:
    def __init__(self, shared: Shared) -> None:
        self._shared, self._state, self._questions = shared, shared.state, shared.questions
        self._cadence, self._background, self._quietly = shared.cadence, shared.background, shared.invoker.quietly
