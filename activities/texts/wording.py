"""What we write to people, filled by pure functions: the public texts, the ticket, the war room's status, the executives' brief, and questions."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from activities.kit.words import escape
from activities.kit.words.redact import redact
from activities.kit.words.shell import command
from activities.texts.templates import fill, render, template

INTERIM_SCRIBE = "timeline bot"  # it writes from the first moment on; a person may be assigned beside it
LONGEST_LINE = 500  # characters
LONGEST_QUESTION = 12  # lines: a phone's screen


def duration(of: timedelta) -> str:
    """A duration as the seed writes it: `30 minutes`, `60 minutes`, `4 hours`."""
    minutes = max(1, round(of.total_seconds() / 60))
    if minutes > 60 and minutes % 60 == 0:
        return f"{minutes // 60} hours"
    return f"{minutes} minute" + ("" if minutes == 1 else "s")


def listing(services: Iterable[str]) -> str:
    """Names in a sentence: `chat`, `chat and search`, `chat, search and billing`; without any, `some services`."""
    names = tuple(filter(None, (_as_name(service) for service in services))) or ("some services",)
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def _as_name(service: str) -> str:
    """A service's name as the public may read it: whatever somebody called it, a text must come out, and no markup in it."""
    words = re.sub(r"[^A-Za-z0-9._/-]+", " ", service)
    return re.sub(r"([ ._/-])[ ._/-]+", r"\1", words)[:60].strip(" ._/-")


def public(name: str, services: Iterable[str], at: datetime, period: timedelta, own: str = "") -> dict[str, str]:
    """The fields of a status page template. `period`: until the next update, or how long the service has been stable (policy time)."""
    known = {"at": f"{at:%H:%M}", "services": listing(services), "next": duration(period), "stable": duration(period)}
    return {field: known[field] for field in template(name, own).fields if field in known}


def macro(feature: str, link: str, own: str = "") -> str:
    """What support tells customers who ask (seed §1.1). Raises `Refused` when the link is none."""
    known = {"feature": listing((feature,)), "link": link}
    return render("support@1", {field: known[field] for field in template("support@1", own).fields}, own)


TRACE_LABELS = ("trace_id", "trace_ids")


def traces(labels: Mapping[str, str]) -> tuple[str, ...]:
    """The trace ids of an alert: its labels `trace_id` and `trace_ids`, or whatever stands there that looks like one."""
    listed = " ".join(labels.get(name, "") for name in TRACE_LABELS)
    return tuple(dict.fromkeys(word for word in re.split(r"[\s,;]+", listed) if re.fullmatch(r"[A-Za-z0-9_-]{6,64}", word)))


def ticket(
    *, severity: int, start: datetime, hypotheses: Iterable[str] = (), actions: Iterable[tuple[datetime, str]] = (), **known: str
) -> str:
    """An incident ticket's body with exactly the fields of the seed's §4.1. What is not known yet is said to be so.

    `known`: title, commander, scribe, scope, impact, next.
    """
    done = _bullets((f"{at:%H:%M:%S} UTC {_markdown(text)}" for at, text in actions), 45_000)
    guesses = _bullets(map(_markdown, hypotheses), 4_000)
    shown = {field: _markdown(known.get(field, "")) or "unknown" for field in ("title", "commander", "scribe", "scope", "impact", "next")}
    return fill("ticket@1", {
        **known, **shown, "severity": f"SEV‑{severity}", "start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "hypotheses": guesses or "unknown",
        "actions": done or "none yet",
    })  # fmt: skip


def room(*, at: datetime, severity: int, measures: Iterable[str] = (), questions: Iterable[str] = (), **known: str) -> str:
    """The latest status in the war room: the same facts in the same order every time, so that a reader at 3 a.m. finds them.

    `known`: phase, radius, commander, scribe, public, next.
    """
    otherwise = {
        "phase": "unknown", "radius": "unknown", "commander": "nobody yet", "scribe": INTERIM_SCRIBE, "public": "nothing published",
        "next": "on change", "measures": "nothing", "questions": "nobody",
    }  # fmt: skip
    given = {**known, "measures": " · ".join(measures), "questions": " · ".join(questions)}
    return fill("room-status@1", {"at": f"{at:%H:%M}", "severity": f"SEV-{severity}", **_known(given, otherwise)})


def brief(*, at: datetime, severity: int, **known: str) -> str:
    """What executives read: five lines, no names of systems that they do not know.

    `known`: incident, phase, impact, doing, commander, next.
    """
    otherwise = {"impact": "not known yet", "doing": "looking", "commander": "nobody yet", "next": "on change"}
    return fill("brief@1", {"at": f"{at:%H:%M}", "severity": f"SEV-{severity}", **_known(known, otherwise)})


def question(
    *, incident: str, number: int, title: str, lines: Iterable[str], options: Iterable[str], code: str, rung: int = 0, nth: int = 1
) -> str:
    """A question to one person, with the code that is theirs alone and exactly what to type. At most twelve lines: a phone's screen."""
    again = f" · reminder {nth - 1}" if nth > 1 else ""
    raised = " · escalated to you" if rung else ""
    head = f"Question {number} of {incident}{raised}{again}: {escape.line(title, LONGEST_LINE)}"
    ways = how_to_answer(incident, number, options, code)
    shown = _folded(lines, LONGEST_QUESTION - 2 - len(ways))
    return "\n".join((head, *shown, f"Your code, for you alone: {code}", *ways))


def signing(*, policy: str, text: str, person: str, code: str) -> str:
    """What somebody reads who is to sign a standing policy: the exact text, the code that is theirs alone, and what to type."""
    typed = command("incident", "policy", "sign", policy, "--as", person, "--code", code)
    said = escape.line(text, LONGEST_LINE)
    return "\n".join((f"To sign the standing policy for {policy}:", said, f"Your code, for you alone: {code}", f"  sign: {typed}"))


def _folded(lines: Iterable[str], room: int) -> tuple[str, ...]:
    """These lines in so many: what is too much goes on in the last line but one, so that the first ones and the last stay as they are."""
    every = [escape.line(one, LONGEST_LINE) for one in lines]
    if len(every) <= room:
        return tuple(every)
    kept = max(room - 2, 0)
    return (*every[:kept], escape.line("; ".join(every[kept:-1]), LONGEST_LINE), every[-1])


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


def with_code(text: str, code: str) -> str:
    """What somebody is told, with a code for commands that is theirs alone, and how it is used."""
    alone, among = json.dumps(code), json.dumps({"code": code, "reason": "…"}, ensure_ascii=False)
    ways = (
        f"Your code for commands, for you alone, good once: {code}",
        f"  at a shell: add {command('--code', code)} to the command",
        f"  or in the Temporal UI: signal `acknowledge` or `resume`, input `{alone}`; any other, input like `{among}`",
    )
    return "\n".join((text, *ways))


def _known(given: Mapping[str, str], otherwise: Mapping[str, str]) -> dict[str, str]:
    """Every field in one line; what is not known, in the words for that."""
    return {field: _one_line(given.get(field, "")) or otherwise.get(field, "unknown") for field in {**otherwise, **given}}


def _one_line(text: str) -> str:
    return escape.line(redact(text), LONGEST_LINE)


def _markdown(text: str) -> str:
    return escape.markdown(_one_line(text))


def _bullets(lines: Iterable[str], longest: int) -> str:
    """A list of at most `longest` characters, the newest lines: GitHub takes 65,536 for a body."""
    kept: list[str] = []
    every = list(lines)
    for line in reversed(every):
        longest -= len(line) + 3
        if longest < 0:
            break
        kept.append(f"\n- {line}")
    left_out = len(every) - len(kept)
    return (f"\n- ({left_out} earlier: see the timeline)" if left_out else "") + "".join(reversed(kept))
