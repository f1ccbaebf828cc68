"""An activity answers what nobody can read: that fails its step, and never the workflow task, which would be tried again for ever."""

import pytest
from temporalio.api.common.v1 import Payload

from tests.incident.mechanisms.driven import Answers, Driven
from tests.incident.mechanisms.test_cancels import MOST, incident, told
from workflows.incident import QuestionKind

RECORDED = "production_outage-resolved"
AFTERWARDS = 6  # workflow tasks in which a wrong answer would be acted on
GARBAGE = {
    "broken JSON": Payload(metadata={"encoding": b"json/plain"}, data=b'{"summary": "hal'),
    "another shape": Payload(metadata={"encoding": b"json/plain"}, data=b'["a", "list"]'),
    "nothing": Payload(metadata={"encoding": b"binary/null"}),
    "an unknown encoding": Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x00\xff"),
}


class Garbled(Answers):
    """As recorded, but the first answer of one verb cannot be read."""

    @property
    def given_out(self) -> bool:
        return not self._garbage

    def __init__(self, known: Answers, verb: str, garbage: Payload) -> None:
        self.__dict__.update(known.__dict__)
        self._verb, self._garbage = verb, [garbage]

    def of(self, verb: str, key: str) -> Payload | None:
        return self._garbage.pop() if verb == self._verb and self._garbage else super().of(verb, key)


def garbled(verb: str, garbage: str) -> Driven:
    return incident(RECORDED, Garbled(told(RECORDED)[1], verb, GARBAGE[garbage]))


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_change_whose_answer_cannot_be_read_becomes_a_question(garbage: str) -> None:
    """It may have been done: it is not called done, and a person says what is next. The incident goes on meanwhile."""
    run = garbled("deploys.shift", garbage)
    state = run.instance._object.state  # type: ignore[attr-defined]
    run.until(lambda: any(q.kind is QuestionKind.REPAIR for q in state.approvals.questions), MOST)
    question = state.approvals.questions[-1]
    assert "deploys.shift" in question.asks and "whether it was done is not known" in question.facts[0]
    assert {"retry", "done_by_hand", "hand_over"} <= set(question.options)
    assert run.replays()


def test_no_answer_that_cannot_be_read_stops_an_incident() -> None:
    """Whatever it is that answers so: no workflow task fails (the stage looks at each), and the incident goes on."""
    for verb in told(RECORDED)[1].verbs:
        answers = Garbled(told(RECORDED)[1], verb, GARBAGE["another shape"])
        run = incident(RECORDED, answers)
        run.until(lambda answers=answers, run=run: answers.given_out or len(run.tasks) >= 60, 60)  # type: ignore[misc]
        run.go(len(run.tasks) + AFTERWARDS)
        assert run.instance._object.state.phases, verb  # type: ignore[attr-defined]
