"""The scripted cast: commander, ops and comms are different people, who read their phones and answer by the same doors as everybody."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue
from temporalio.client import Client

from activities.action import Role
from starters import steering
from starters.gameday.stage import Stage
from starters.screens.text import CliError
from workflows.incident import Question, QuestionKind, State
from workflows.status import Status

PLAYS = {
    Role.INCIDENT_COMMANDER: "dana", Role.OPS_LEAD: "lee", Role.COMMS_LEAD: "noor", Role.AI_ML_LEAD: "ravi", Role.SECURITY_LEAD: "sam",
    Role.DEPUTY: "kim", Role.DUTY_EXECUTIVE: "pat", Role.FINANCE: "fay", Role.LEGAL: "lou", Role.DB_LEAD: "max",
}  # fmt: skip
COMMANDER = PLAYS[Role.INCIDENT_COMMANDER]
CODE = re.compile(r"\b(\d+-[0-9A-Z]{4}-[0-9A-Z]{4})\b")
RETRIES = 2  # how often the cast says retry about one step before it takes over by hand


@dataclass
class Cast:
    """Who answers, and how: `auto` approves, `decline` declines whatever would change something broadly.

    `a_person_commands`: somebody at the keyboard answers what the commander is asked first.
    """

    stage: Stage
    client: Client
    manner: str = "auto"
    a_person_commands: bool = False
    values: Mapping[str, JsonValue] = field(default_factory=dict)  # what is said to who asks for a value, by a part of the question
    _done: set[tuple[int, int]] = field(default_factory=set)
    _retried: Counter[str] = field(default_factory=Counter)

    async def play(self, status: Status) -> list[str]:
        """Do what each member would do now. Returns what was said, a line each."""
        lines: list[str] = []
        paged = not status.acknowledged_at and any(letter["via"] == "page" for letter in self.stage.phone(COMMANDER))
        if paged and not self.a_person_commands:
            lines.append(await self.say(status, "acknowledge", COMMANDER))
        for question in status.asking:
            theirs, seat = self.a_person_commands and question.roles[0] is Role.INCIDENT_COMMANDER, (question.number, len(question.answers))
            said = {given.by for given in question.answers}  # where two must say yes, the next of them does
            person = next((PLAYS[role] for role in question.roles if role in PLAYS and PLAYS[role] not in said), COMMANDER)
            if not theirs and seat not in self._done and (code := self.code(person, question)):
                self._done.add(seat)
                reason = f"game day: {self.manner}"
                told = {"question": question.number, "code": code, "reason": reason, **self._value(question)}
                lines.append(await self.say(status, self._verdict(question), person, **told))
        if status.state is State.HANDED_OVER and not self.a_person_commands:
            lines.append(await self.say(status, "stand_down", COMMANDER, reason="game day: the rest is done by hand"))
        return lines

    async def say(self, status: Status, message: str, by: str, **words: JsonValue) -> str:
        try:
            return await steering.say(self.client, status.incident_id, message, by=by, **words)
        except CliError as refused:
            return f"refused: {refused}"

    def code(self, person: str, question: Question) -> str:
        """The personal code that this person was sent for this question; empty while it has not arrived."""
        codes = [code for letter in reversed(self.stage.phone(person)) for code in CODE.findall(str(letter["text"]))]
        return next((code for code in codes if code.startswith(f"{question.number}-")), "")

    def _value(self, question: Question) -> dict[str, JsonValue]:
        """What is said where a value is asked for."""
        if question.kind is not QuestionKind.FACT:
            return {}
        return {"value": next((value for part, value in self.values.items() if part.lower() in question.asks.lower()), "none")}

    def _verdict(self, question: Question) -> str:
        if question.kind is QuestionKind.FACT:
            return question.options[0]
        if question.kind is not QuestionKind.REPAIR:
            return "decline" if self.manner == "decline" else "approve"
        self._retried[question.asks] += 1
        if self.manner == "decline" and "skip" in question.options:
            return "skip"
        return "retry" if self._retried[question.asks] <= RETRIES else "hand_over"
