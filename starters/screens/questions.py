"""The questions that people must answer now: what each one does, who may answer, and exactly what to type."""

from rich.cells import cell_len
from rich.text import Text

from activities.action import Risk
from starters.screens.layout import Page, row
from starters.screens.text import plain, span, typed
from workflows.incident import Question, QuestionKind

QUESTION_LINES = 12


class Questions(Page):
    """What people must decide, before anything else on the screen."""

    def questions(self) -> list[Text]:
        would = self.status.would_ask if self.full else self.status.would_ask[-3:]
        more = len(self.status.would_ask) - len(would)
        return [
            *(line for question in self.status.asking for line in self._question(question)),
            *([Text("")] if would else []),
            *(row(f"○ [{q.number}] would ask {roles(q)}: {plain(q.asks)}", self.width, "blue") for q in would),
            *([row(f"  and {more} earlier: --full", self.width, "dim")] if more else []),
        ]

    def _question(self, q: Question) -> list[Text]:
        typed = self._typed(q)
        lines = [
            *self.pair("who", self._who(q)),
            *self.pair("effect", plain(q.effect), most=2 if len(typed) < 4 else 1),
            *self.pair("undo", plain(q.inverse)),
            *self.pair("facts", "; ".join(map(plain, q.facts)), most=2 if len(typed) < 4 else 1),
            *self.pair("silence", self._silence(q)),
        ]
        room = 99 if self.full else QUESTION_LINES - 1 - len(typed) - len(lines)
        by_hand = self.commands("by hand", q.by_hand, max(room, 1))
        return [Text(""), row(f"॥ [{q.number}] {plain(q.asks)}", self.width, "bold yellow"), *lines, *by_hand, *typed]

    def _who(self, q: Question) -> str:
        counted = f" · {len(q.answers)} of {q.quorum} answers" if q.quorum > 1 else ""
        told = f" · sent to {', '.join(map(plain, q.told))}" if q.told else ""
        return f"{roles(q)} · {q.risk.label} · open for {span(self.now - q.asked_at)}{counted}{told}"

    def _silence(self, q: Question) -> str:
        when = f", from {q.expires_at:%H:%M:%S} UTC (in {span(q.expires_at - self.now)})" if q.expires_at else ""
        return f"no answer means: {q.silence.means()}{when}"

    def _typed(self, q: Question) -> list[Text]:
        ways = [to_answer(self.status.incident_id, q, option) for option in q.options]
        together = " | ".join(ways)
        shown = [together] if cell_len(together) <= self.width - 12 else ways
        ui = f'Temporal UI: signal {q.options[0]}, input (your code): "{q.number}-XXXX-XXXX"'
        return [*(self.pair("type" if nth == 0 else "or", way, "bold")[0] for nth, way in enumerate(shown)), *self.pair("or", ui)]


def roles(q: Question) -> str:
    return " or ".join(role.title for role in q.roles)


def to_answer(incident: str, q: Question, option: str) -> str:
    """The command that gives one answer to a question. From C2 on it needs the personal code that was sent."""
    verb = "answer" if q.kind is QuestionKind.FACT else option.replace("_", "-")
    value = ("VALUE",) if q.kind is QuestionKind.FACT else ()
    code = ("--code", "CODE") if q.risk >= Risk.C2 and option != "decline" else ()
    return typed(verb, incident, str(q.number), *value, *code)
