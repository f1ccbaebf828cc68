"""A question as one person reads it, with the code that is theirs and exactly what to type."""

import json
from collections.abc import Iterable

from activities.kit.words.escape import line
from activities.kit.words.shell import command

LONGEST = 12  # lines: a phone's screen
LONGEST_LINE = 500  # characters


def question(
    *, incident: str, number: int, title: str, lines: Iterable[str], options: Iterable[str], code: str, rung: int = 0, nth: int = 1
) -> str:
    """A question to one person, with the code that is theirs alone and exactly what to type. At most twelve lines: a phone's screen."""
    again = f" · reminder {nth - 1}" if nth > 1 else ""
    raised = " · escalated to you" if rung else ""
    head = f"Question {number} of {incident}{raised}{again}: {line(title, LONGEST_LINE)}"
    ways = how_to_answer(incident, number, options, code)
    shown = _folded(lines, LONGEST - 2 - len(ways))
    return "\n".join((head, *shown, f"Your code, for you alone: {code}", *ways))


def _folded(lines: Iterable[str], room: int) -> tuple[str, ...]:
    """These lines in so many: what is too much goes on in the last line but one, so that the first ones and the last stay as they are."""
    every = [line(one, LONGEST_LINE) for one in lines]
    if len(every) <= room:
        return tuple(every)
    kept = max(room - 2, 0)
    return (*every[:kept], line("; ".join(every[kept:-1]), LONGEST_LINE), every[-1])


def how_to_answer(incident: str, number: int, options: Iterable[str], code: str) -> tuple[str, ...]:
    """What to type for each option at a shell, and once for the Temporal UI. An option is the name of a command and of a signal."""
    every = tuple(options)
    if every == ("answer",):
        typed = json.dumps({"question": number, "code": code, "value": "…"}, ensure_ascii=False)
        return (
            f"  answer: {command('incident', 'answer', incident, str(number), 'VALUE', '--code', code)}",
            f"  or in the Temporal UI: signal `answer`, input `{typed}`",
        )
    commands = (f"  {option}: {command('incident', option.replace('_', '-'), incident, str(number), '--code', code)}" for option in every)
    first, *others = (f"`{option}`" for option in every)
    also = f" ({', '.join(others)})" if others else ""
    return (*commands, f"  or in the Temporal UI: signal {first}, input `{json.dumps(code)}`{also}")
