"""What we say, as data: named and versioned templates with placeholders, filled by pure functions.

The sentences of the seed (§1.1 status page and support macro, §4.1 ticket) stand here word for word, marks of emphasis included; `render`
drops the marks, because a status page and a support mail would show them. Every placeholder has a pattern. A public text holds only what
its patterns let in, so that an approval of a template is an approval of everything that it can ever say. An organisation may have its own
text for a template (`organisation.toml`, `[templates]`): within the same placeholders, and without the words that are never public.
"""

import hashlib
import json
import re
import shlex
import string
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
LONGEST_QUESTION = 12  # lines
INTERIM_SCRIBE = "timeline bot"  # it writes from the first moment on; a person may be assigned beside it


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
            "resolved-by-hand@1",
            "_Resolved ({at} UTC)_ — The elevated errors affecting **{services}** have stopped. This incident is resolved.",
            "resolved",
            at=_CLOCK, services=_SERVICES,
        ),
        _said(
            "room-status@1",
            "{at} UTC · {severity} · {phase} · IC {commander} · Scribe {scribe}\nRadius: {radius}\nIn force: {measures}\n"
            "Waiting for: {questions}\nStatus page: {public}\nNext update: {next}",
            at=_CLOCK, severity=r"SEV-[1-5]", phase=_LINE, commander=_LINE, scribe=_LINE, radius=_LINE, measures=_LINE, questions=_LINE,
            public=_LINE, next=_LINE,
        ),
        _said(
            "brief@1",
            "{incident} at {at} UTC: {severity}, {phase}\nImpact: {impact}\nNow: {doing}\nIn charge: {commander}\nNext brief: {next}",
            at=_CLOCK, incident=_LINE, severity=r"SEV-[1-5]", phase=_LINE, impact=_LINE, doing=_LINE, commander=_LINE, next=_LINE,
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

# Words of a code name: they must suggest nothing.
_COLOURS = ("amber", "azure", "coral", "ebony", "ivory", "jade", "ochre", "olive", "pearl", "russet", "sepia", "silver", "teal", "umber")
_BIRDS = ("crane", "dove", "finch", "grebe", "heron", "lark", "linnet", "martin", "osprey", "plover", "robin", "siskin", "swift", "wren")
_TRACE = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b", re.IGNORECASE)

# What never stands in a public text (spec §6), whoever approved it. Names of tenants and people are given by the caller.
_NEVER_PUBLIC = (
    "no data affected", "no data was affected", "no customer data", "data is safe", "root cause", "human error", "vendor's fault",
    "hacked", "breach",
)  # fmt: skip


def template(name: str, own: str = "") -> Template:
    """The template called so, e.g. `identified@1`; `own`: the organisation's text for it. Raises `Refused` when there is none."""
    if name not in TEMPLATES:
        raise Refused(f"there is no wording called {name!r}; there are {', '.join(sorted(TEMPLATES))}")
    said = TEMPLATES[name]
    if not own:
        return said
    if why := unfit(name.partition("@")[0], own):
        raise Refused(f"the organisation's own wording {name}: {why}")
    known = _known(said)
    return said.model_copy(update={"text": own, "fields": {field: known[field] for field in _placeholders(own)}})


def unfit(name: str, text: str) -> str:
    """Why a text may not replace the standard one called `name` (without version), with the fix; empty when it may."""
    ours = {each.partition("@")[0]: said for each, said in TEMPLATES.items() if said.states or each.startswith("support@")}
    if name not in ours:
        return f"there is no template called so; there are {', '.join(ours)}"
    standard = ours[name]
    try:
        named = _placeholders(text)
    except ValueError as wrong:
        return f"{wrong}; a placeholder is a name in braces, such as {{services}}"
    known = _known(standard)
    if unknown := [field for field in named if field not in known]:
        return f"{{{unknown[0]}}} is no placeholder of it; it takes {', '.join(f'{{{field}}}' for field in known)}"
    # Every public text says when it was written and when the next one comes (spec §6); the macro says where to look.
    if missing := [field for field in standard.fields if field in ("at", "next", "link") and field not in named]:
        return f"it has to say {{{missing[0]}}}; add it"
    if words := banned(text):
        return f"a public text may not say {', '.join(words)}; say what customers notice instead"
    return ""


def _known(standard: Template) -> dict[str, str]:
    """The placeholders that a text may use in its place: what the standard text has, and the services."""
    return {**standard.fields, **({"services": _SERVICES} if standard.states else {})}


def _placeholders(text: str) -> tuple[str, ...]:
    """The names in braces, once each. Raises ValueError for what is no plain name in a matching pair of braces."""
    named: list[str] = []
    for _, field, form, conversion in string.Formatter().parse(text):
        if form or conversion or field == "":
            raise ValueError("a placeholder takes nothing but its name")
        if field is not None:
            named.append(field)
    return tuple(dict.fromkeys(named))


def render(name: str, fields: Mapping[str, str], own: str = "") -> str:
    """The template's text, filled, without marks of emphasis. Raises `Refused` for a wrong, missing or unknown field."""
    said = template(name, own)
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


def public(name: str, services: Iterable[str], at: datetime, period: timedelta, own: str = "") -> dict[str, str]:
    """The fields of a status page template. `period`: until the next update, or how long the service has been stable (policy time)."""
    known = {"at": clock(at), "services": listing(services), "next": duration(period), "stable": duration(period)}
    return {field: known[field] for field in template(name, own).fields if field in known}


def macro(feature: str, link: str, own: str = "") -> str:
    """What support tells customers who ask (seed §1.1). Raises `Refused` when the link is none."""
    known = {"feature": listing((feature,)), "link": link}
    return render("support@1", {field: known[field] for field in template("support@1", own).fields}, own)


def banned(text: str, tenants: Iterable[str] = (), people: Iterable[str] = ()) -> tuple[str, ...]:
    """What a public text may not contain (spec §6) and does: names of tenants and people, unconfirmed assurances, blame, trace ids."""
    names = tuple(name for name in (*tenants, *people) if name.strip())
    words = (word for word in (*names, *_NEVER_PUBLIC) if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags=re.IGNORECASE))
    return (*words, *(("a trace id",) if _TRACE.search(text) else ()))


def traces(labels: Mapping[str, str]) -> tuple[str, ...]:
    """The trace ids of an alert: its labels `trace_id` and `trace_ids`, or whatever stands there that looks like one."""
    said = " ".join(labels.get(name, "") for name in ("trace_id", "trace_ids"))
    return tuple(dict.fromkeys(word for word in re.split(r"[\s,;]+", said) if re.fullmatch(r"[A-Za-z0-9_-]{6,64}", word)))


def code_name(incident_id: str) -> str:
    """What a restricted incident is called where its own name would say too much: the same every time, and nothing can be read from it."""
    number = int.from_bytes(hashlib.sha256(incident_id.encode()).digest()[:4], "big")
    return f"{_COLOURS[number % len(_COLOURS)]}-{_BIRDS[number // len(_COLOURS) % len(_BIRDS)]}"


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
    commander: str = "",
    scribe: str = "",
    measures: Iterable[str] = (),
    questions: Iterable[str] = (),
    published: str = "",
    next_update: str = "",
) -> str:
    """The latest status in the war room: the same facts in the same order every time, so that a reader at 3 a.m. finds them."""
    return fill("room-status@1", {
        "at": clock(at), "severity": f"SEV-{severity}", "phase": _one_line(phase) or "unknown", "radius": _one_line(radius) or "unknown",
        "commander": _one_line(commander) or "nobody yet", "scribe": _one_line(scribe) or INTERIM_SCRIBE,
        "measures": _one_line(" · ".join(measures)) or "nothing", "questions": _one_line(" · ".join(questions)) or "nobody",
        "public": _one_line(published) or "nothing published", "next": _one_line(next_update) or "on change",
    })  # fmt: skip


def brief(*, at: datetime, incident: str, severity: int, phase: str, impact: str, doing: str, commander: str, next_brief: str) -> str:
    """What executives read: five lines, no names of systems that they do not know."""
    return fill("brief@1", {
        "at": clock(at), "incident": _one_line(incident), "severity": f"SEV-{severity}", "phase": _one_line(phase),
        "impact": _one_line(impact) or "not known yet", "doing": _one_line(doing) or "looking",
        "commander": _one_line(commander) or "nobody yet", "next": _one_line(next_brief) or "on change",
    })  # fmt: skip


def question(
    *, incident: str, number: int, title: str, lines: Iterable[str], options: Iterable[str], code: str, rung: int = 0, nth: int = 1
) -> str:
    """A question to one person, with the code that is theirs alone and exactly what to type. At most twelve lines: a phone's screen."""
    again = f" · reminder {nth - 1}" if nth > 1 else ""
    raised = " · escalated to you" if rung else ""
    head = f"Question {number} of {incident}{raised}{again}: {_one_line(title)}"
    ways = how_to_answer(incident, number, options, code)
    said = _folded(lines, LONGEST_QUESTION - 2 - len(ways))
    return "\n".join((head, *said, f"Your code, for you alone: {code}", *ways))


def _folded(lines: Iterable[str], room: int) -> tuple[str, ...]:
    """These lines in so many: what is too much goes on in the last line but one, so that the first ones and the last stay as they are."""
    every = [_one_line(line) for line in lines]
    if len(every) <= room:
        return tuple(every)
    kept = max(room - 2, 0)
    return (*every[:kept], _one_line("; ".join(every[kept:-1])), every[-1])


def how_to_answer(incident: str, number: int, options: Iterable[str], code: str) -> tuple[str, ...]:
    """What to type for each option at a shell, and once for the Temporal UI. An option is the name of a command and of a signal."""
    every = tuple(options)
    if every == ("answer",):
        typed = json.dumps({"question": number, "code": code, "value": "…"}, ensure_ascii=False)
        return (
            f"  answer: incident answer {incident} {number} VALUE --code {code}",
            f"  or in the Temporal UI: signal `answer`, input `{typed}`",
        )
    commands = (f"  {option}: incident {option.replace('_', '-')} {incident} {number} --code {code}" for option in every)
    first, *others = (f"`{option}`" for option in every)
    also = f" ({', '.join(others)})" if others else ""
    return (*commands, f"  or in the Temporal UI: signal {first}, input `{json.dumps(code)}`{also}")


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
