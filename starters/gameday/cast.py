"""The scripted cast: commander, ops and comms are different people, who read their phones and answer by the same doors as everybody."""

import re
from dataclasses import dataclass, field

from temporalio.client import Client

from activities.action import Role
from starters import steering
from starters.errors import CliError
from starters.gameday.stage import Stage
from workflows.incident import Question, QuestionKind, State
from workflows.status import Status

PLAYS = {
    Role.INCIDENT_COMMANDER: "dana", Role.OPS_LEAD: "lee", Role.COMMS_LEAD: "noor", Role.AI_ML_LEAD: "ravi", Role.SECURITY_LEAD: "sam",
    Role.DEPUTY: "kim", Role.DUTY_EXECUTIVE: "pat",
}  # fmt: skip
CODE = re.compile(r"\b(\d+-[0-9A-Z]{4}-[0-9A-Z]{4})\b")
RETRIES = 2  # how often the cast says retry about one step before it takes over by hand


@dataclass
class Cast:
    """Who answers, and how: `auto` approves, `decline` declines whatever would change something broadly. `not_mine`: a person at the keyboard."""

    stage: Stage
    client: Client
    manner: str = "auto"
    not_mine: frozenset[Role] = frozenset()
    answered: list[str] = field(default_factory=list)
    _done: set[tuple[int, int]] = field(default_factory=set)
    _retried: dict[str, int] = field(default_factory=dict)

    async def play(self, status: Status) -> list[str]:
        """Do what each member would do now. Returns what was said, a line each."""
        lines: list[str] = []
        if status.acknowledged_at is None and Role.INCIDENT_COMMANDER not in self.not_mine and self._paged(PLAYS[Role.INCIDENT_COMMANDER]):
            lines.append(await self._said(steering.say(self.client, status.incident_id, "acknowledge", by=PLAYS[Role.INCIDENT_COMMANDER])))
        for question in status.asking:
            if (question.number, len(question.answers)) not in self._done and not self._for_the_person(question):
                line = await self._answer(status, question)
                lines += [line] if line else []
        if status.state is State.HANDED_OVER and Role.INCIDENT_COMMANDER not in self.not_mine:
            lines.append(await self._stand_down(status))
        return lines

    def code(self, person: str, question: Question) -> str:
        """The personal code that this person was sent for this question; empty while it has not arrived."""
        for letter in reversed(self.stage.phone(person)):
            for code in CODE.findall(str(letter["text"])):
                if code.startswith(f"{question.number}-"):
                    return str(code)
        return ""

    def _for_the_person(self, question: Question) -> bool:
        """Whoever is named first is asked first; the person at the keyboard answers for their own role only."""
        return question.roles[0] in self.not_mine

    def _paged(self, person: str) -> bool:
        return any(letter["via"] == "page" for letter in self.stage.phone(person))

    async def _answer(self, status: Status, question: Question) -> str:
        person = next((PLAYS[role] for role in question.roles if role in PLAYS), PLAYS[Role.INCIDENT_COMMANDER])
        code = self.code(person, question)
        if not code:
            return ""
        verdict = self._verdict(question)
        self._done.add((question.number, len(question.answers)))
        said = steering.say(
            self.client, status.incident_id, verdict, question=question.number, code=code, reason=f"game day: {self.manner}", by=person
        )
        return await self._said(said)

    def _verdict(self, question: Question) -> str:
        if question.kind is QuestionKind.REPAIR:
            self._retried[question.asks] = self._retried.get(question.asks, 0) + 1
            if self.manner == "decline" and "skip" in question.options:
                return "skip"
            return "retry" if self._retried[question.asks] <= RETRIES else "hand_over"
        return "decline" if self.manner == "decline" else "approve"

    async def _stand_down(self, status: Status) -> str:
        reason = "game day: the rest is done by hand"
        said = steering.say(self.client, status.incident_id, "stand_down", by=PLAYS[Role.INCIDENT_COMMANDER], reason=reason)
        return await self._said(said)

    async def _said(self, saying: object) -> str:
        try:
            said: str = await saying  # type: ignore[misc]
        except CliError as refused:
            said = f"refused: {refused}"
        self.answered.append(said)
        return said
