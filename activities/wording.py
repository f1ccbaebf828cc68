"""What we say, as data: named and versioned templates with placeholders, filled by pure functions.

The sentences of the seed (§1.1 status page and support macro, §4.1 ticket) stand here word for word, marks of emphasis included; `render`
drops the marks, because a status page and a support mail would show them. Every placeholder has a pattern. A public text holds only what
its patterns let in, so that an approval of a template is an approval of everything that it can ever say.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from activities.action import Refused, Value

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_DURATION = r"\d{1,3} (minute|hour)s?"
_NAME = r"[A-Za-z0-9]+([ ._/-][A-Za-z0-9]+)*"
_SERVICES = rf"{_NAME}(, {_NAME})*( and {_NAME})?"
_LINK = r"https?://[^\s<>\"]{1,300}"
_LINE = r"[^\n]{1,500}"
_LINES = r"[\s\S]{1,4100}"


class Template(Value):
    """A text with `{placeholders}`: name and version as in orders, the pattern of each placeholder, the states that it may speak for."""

    name: str
    text: str
    fields: dict[str, str]
    states: tuple[str, ...] = ()


def _said(name: str, text: str, *states: str, **fields: str) -> tuple[str, Template]:
    return name, Template(name=name, text=text, fields=fields, states=states)


# A text that has been approved somewhere is never edited: it gets a new version beside it.
TEMPLATES: Mapping[str, Template] = MappingProxyType(dict(
    (
        _said(
            "investigating@1",
            "_Investigating ({at} UTC)_ — We are investigating elevated errors affecting **{services}**. Next update in **{next}**.",
            "investigating",
            at=_CLOCK, services=_SERVICES, next=_DURATION,
        ),
        _said(
            "identified@1",
            "_Identified ({at} UTC)_ — We are investigating elevated errors affecting **{services}**. Mitigation is in progress. "
            "Next update in **{next}**.",
            "identified",
            at=_CLOCK, services=_SERVICES, next=_DURATION,
        ),
        _said(
            "monitoring@1",
            "_Monitoring ({at} UTC)_ — A fix has been deployed. We are monitoring recovery and will provide a final update within "
            "**{next}**.",
            "monitoring",
            at=_CLOCK, next=_DURATION,
        ),
        _said(
            "resolved@1",
            "_Resolved ({at} UTC)_ — The elevated errors affecting **{services}** have stopped, and the service has been stable for "
            "**{stable}**. This incident is resolved.",
            "resolved",
            at=_CLOCK, services=_SERVICES, stable=_DURATION,
        ),
        _said(
            "update@1",
            "_Update ({at} UTC)_ — We continue to work on the issue affecting **{services}**. Next update in **{next}**.",
            "investigating", "identified",
            at=_CLOCK, services=_SERVICES, next=_DURATION,
        ),
        _said(
            "still-monitoring@1",
            "_Update ({at} UTC)_ — We continue to monitor the recovery of **{services}**. Next update in **{next}**.",
            "monitoring",
            at=_CLOCK, services=_SERVICES, next=_DURATION,
        ),
        _said(
            "holding@1",
            "_Update ({at} UTC)_ — We are aware of an issue affecting **{services}** and are working on it. We will share more as soon as "
            "we can. Next update in **{next}**.",
            "investigating", "identified", "monitoring",
            at=_CLOCK, services=_SERVICES, next=_DURATION,
        ),
        _said(
            "support@1",
            "We’re experiencing an incident impacting **{feature}** for some customers. Our engineers are working on it with high "
            "priority. Status: **{link}**. We’ll keep you updated.",
            feature=_SERVICES, link=_LINK,
        ),
        _said(
            "room-update@1",
            "{at} UTC · {severity} · {phase}\nRadius: {radius}\nIn force: {measures}\nWaiting for: {questions}\nNext update: {next}",
            at=_CLOCK, severity=r"SEV-[1-5]", phase=_LINE, radius=_LINE, measures=_LINE, questions=_LINE, next=_LINE,
        ),
        _said(
            "ticket@1",
            "**Title:** [{severity}] {title}\n**Start:** {start}\n**IC:** {commander} • **Scribe:** {scribe}\n**Scope:** {scope}\n"
            "**Impact:** {impact}\n**Hypotheses:** {hypotheses}\n**Actions taken:** {actions}\n**Next update:** {next}",
            severity=r"SEV‑[1-5]", title=_LINE, start=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", commander=_LINE, scribe=_LINE, scope=_LINE,
            impact=_LINE, hypotheses=_LINES, actions=r"[\s\S]{1,50000}", next=_LINE,
        ),
    )
))  # fmt: skip

# What never stands in a public text (spec §6), whoever approved it. Names of tenants and people are given by the caller.
_NEVER_PUBLIC = (
    "no data affected", "no data was affected", "no customer data", "data is safe", "root cause", "human error", "vendor's fault",
    "hacked", "breach",
)  # fmt: skip


def template(name: str) -> Template:
    """The template called so, e.g. `identified@1`. Raises `Refused` when there is none."""
    if name not in TEMPLATES:
        raise Refused(f"there is no wording called {name!r}; there are {', '.join(sorted(TEMPLATES))}")
    return TEMPLATES[name]


def render(name: str, fields: Mapping[str, str]) -> str:
    """The template's text, filled, without marks of emphasis. Raises `Refused` for a wrong, missing or unknown field."""
    said = template(name)
    _check(said, fields)
    return _plain(said.text).format_map(fields)


def _check(said: Template, fields: Mapping[str, str]) -> None:
    if set(fields) != set(said.fields):
        raise Refused(f"wording {said.name} takes {', '.join(said.fields)}; it was given {', '.join(sorted(fields)) or 'nothing'}")
    for field, pattern in said.fields.items():
        if not re.fullmatch(pattern, fields[field]):
            raise Refused(f"wording {said.name}: {field} cannot be {fields[field][:80]!r}")


def _plain(text: str) -> str:
    return re.sub(r"^_(.+?)_", r"\1", text.replace("**", ""))


def clock(at: datetime) -> str:
    """An instant as the seed writes it, `12:36` (UTC)."""
    return f"{at:%H:%M}"


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


def public(name: str, services: Iterable[str], at: datetime, period: timedelta) -> dict[str, str]:
    """The fields of a status page template. `period`: until the next update, or how long the service has been stable (policy time)."""
    known = {"at": clock(at), "services": listing(services), "next": duration(period), "stable": duration(period)}
    return {field: known[field] for field in template(name).fields if field in known}


def banned(text: str, tenants: Iterable[str] = (), people: Iterable[str] = ()) -> tuple[str, ...]:
    """What a public text may not contain (spec §6) and does: names of tenants and people, unconfirmed assurances, blame."""
    names = tuple(name for name in (*tenants, *people) if name.strip())
    return tuple(word for word in (*names, *_NEVER_PUBLIC) if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags=re.IGNORECASE))


def ticket(
    *,
    severity: int,
    title: str,
    start: datetime,
    commander: str = "",
    scribe: str = "",
    scope: str = "",
    impact: str = "",
    hypotheses: Iterable[str] = (),
    actions: Iterable[tuple[datetime, str]] = (),
    next_update: str = "",
) -> str:
    """An incident ticket's body with exactly the fields of the seed's §4.1. What is not known yet is said to be so."""
    done = _bullets((f"{at:%H:%M:%S} UTC {_one_line(text)}" for at, text in actions), 45_000)
    guesses = _bullets((_one_line(text) for text in hypotheses), 4_000)
    given = {
        "commander": commander, "scribe": scribe, "scope": scope, "impact": impact, "next": next_update, "title": title,
    }  # fmt: skip
    return fill("ticket@1", {
        "severity": f"SEV‑{severity}", "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "hypotheses": guesses or "unknown", "actions": done or "none yet",
        **{field: _one_line(text) or "unknown" for field, text in given.items()},
    })  # fmt: skip


def room(
    *,
    at: datetime,
    severity: int,
    phase: str,
    radius: str,
    measures: Iterable[str] = (),
    questions: Iterable[str] = (),
    next_update: str = "",
) -> str:
    """A status for the war room: the same five facts in the same order every time, so that a reader at 3 a.m. finds them."""
    return fill("room-update@1", {
        "at": clock(at), "severity": f"SEV-{severity}", "phase": _one_line(phase) or "unknown", "radius": _one_line(radius) or "unknown",
        "measures": _one_line(" · ".join(measures)) or "nothing", "questions": _one_line(" · ".join(questions)) or "nobody",
        "next": _one_line(next_update) or "on change",
    })  # fmt: skip


def question(
    *, incident: str, number: int, title: str, lines: Iterable[str], options: Iterable[str], code: str, rung: int = 0, nth: int = 1
) -> str:
    """A question to one person, with the code that is theirs alone and exactly what to type."""
    again = f" · reminder {nth - 1}" if nth > 1 else ""
    raised = " · escalated to you" if rung else ""
    head = f"Question {number} of {incident}{raised}{again}: {title}"
    return "\n".join((head, *lines, f"Your code, for you alone: {code}", *how_to_answer(incident, number, options, code)))


def how_to_answer(incident: str, number: int, options: Iterable[str], code: str) -> tuple[str, ...]:
    """What to type for each option, at a shell and in the Temporal UI. An option is the name of a command and of a signal."""
    return tuple(line for option in options for line in _way(incident, number, option, code))


def _way(incident: str, number: int, option: str, code: str) -> tuple[str, str]:
    if option == "answer":
        typed = json.dumps({"question": number, "code": code, "value": "…"}, ensure_ascii=False)
        return (
            f"  answer: incident answer {incident} {number} VALUE --code {code}",
            f"    or in the Temporal UI: signal `answer`, input `{typed}`",
        )
    command = f"incident {option.replace('_', '-')} {incident} {number} --code {code}"
    return f"  {option}: {command}", f"    or in the Temporal UI: signal `{option}`, input `{json.dumps(code)}`"


def fill(name: str, fields: Mapping[str, str]) -> str:
    """As `render`, with the marks of emphasis kept: for the places that show them (tickets)."""
    said = template(name)
    _check(said, fields)
    return said.text.format_map(fields)


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


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 500 else f"{line[:499]}…"


def curl(method: str, url: str, *headers: str, body: object = None) -> str:
    """A shell command for a person. Their shell fills in `$NAMES` in URL and headers, and values that are one; the rest is literal."""
    shown = [f"curl -sS -X {method} {_double(url)}", *(f"-H {_double(header)}" for header in headers)]
    if body is not None:
        literal = shlex.quote(json.dumps(body, ensure_ascii=False))
        shown += ['-H "Content-Type: application/json"', "-d " + re.sub(r'"(\$[A-Z_]+)"', lambda name: f"\"'{name[0]}'\"", literal)]
    return " ".join(shown)


def _double(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`") + '"'
