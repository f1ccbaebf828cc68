"""What we may say, as data: named and versioned templates with placeholders.

The sentences of the seed (§1.1, §4.1) stand here word for word; `render` drops their marks of emphasis. Every placeholder has a pattern: a
public text holds only what its patterns let in, so that an approval of a template is an approval of everything that it can ever say. An
organisation's own text for one (`[templates]`) has the same placeholders, and none of the words that are never public.
"""

import re
import string
from collections.abc import Callable, Mapping
from types import MappingProxyType

from activities.action import Refused, Value

_NAME = r"[A-Za-z0-9]+([ ._/-][A-Za-z0-9]+)*"
_SERVICES = rf"{_NAME}(, {_NAME})*( and {_NAME})?"
_DURATION = r"\d{1,3} (minute|hour)s?"
_LINE = r"[^\n]{1,3000}"  # 500 characters, escaped
_PATTERNS = {
    "at": r"([01]\d|2[0-3]):[0-5]\d", "services": _SERVICES, "feature": _SERVICES, "stable": _DURATION,
    "link": r"https?://[^\s<>\"]{1,300}", "severity": r"SEV[-‑][1-5]", "start": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "hypotheses": r"[\s\S]{1,4100}", "actions": r"[\s\S]{1,50000}",
}  # fmt: skip


class Template(Value):
    """A text with `{placeholders}`: name and version as in orders, and the states that it may speak for (a public one)."""

    name: str
    text: str
    states: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, str]:
        """The pattern of each placeholder. Raises ValueError for what is no plain name in a matching pair of braces."""
        patterns = {**_PATTERNS, "next": _DURATION} if self.states else _PATTERNS
        return {field: patterns.get(field, _LINE) for field in _placeholders(self.text)}


# A text that has been approved somewhere is never edited: it gets a new version beside it.
_TEXTS: dict[str, tuple[tuple[str, ...], str]] = {  # by name: the states that it may speak for, and what it says
    "investigating@1": (("investigating",),
        "_Investigating ({at} UTC)_ — We are investigating elevated errors affecting **{services}**. Next update in **{next}**."),
    "identified@1": (("identified",),
        "_Identified ({at} UTC)_ — We are investigating elevated errors affecting **{services}**. Mitigation is in progress. "
        "Next update in **{next}**."),
    "monitoring@1": (("monitoring",),
        "_Monitoring ({at} UTC)_ — A fix has been deployed. We are monitoring recovery and will provide a final update within **{next}**."),
    "resolved@1": (("resolved",),
        "_Resolved ({at} UTC)_ — The elevated errors affecting **{services}** have stopped, and the service has been stable for "
        "**{stable}**. This incident is resolved."),
    "resolved-by-hand@1": (("resolved",),
        "_Resolved ({at} UTC)_ — The elevated errors affecting **{services}** have stopped. This incident is resolved."),
    "update@1": (("investigating", "identified"),
        "_Update ({at} UTC)_ — We continue to work on the issue affecting **{services}**. Next update in **{next}**."),
    "still-monitoring@1": (("monitoring",),
        "_Update ({at} UTC)_ — We continue to monitor the recovery of **{services}**. Next update in **{next}**."),
    "holding@1": (("investigating", "identified", "monitoring"),
        "_Update ({at} UTC)_ — We are aware of an issue affecting **{services}** and are working on it. We will share more as soon as "
        "we can. Next update in **{next}**."),
    "support@1": ((),
        "We’re experiencing an incident impacting **{feature}** for some customers. Our engineers are working on it with high priority. "
        "Status: **{link}**. We’ll keep you updated."),
    "room-status@1": ((),
        "{at} UTC · {severity} · {phase} · IC {commander} · Scribe {scribe}\nRadius: {radius}\nIn force: {measures}\n"
        "Waiting for: {questions}\nStatus page: {public}\nNext update: {next}"),
    "brief@1": ((),
        "{incident} at {at} UTC: {severity}, {phase}\nImpact: {impact}\nNow: {doing}\nIn charge: {commander}\nNext brief: {next}"),
    "ticket@1": ((),
        "**Title:** [{severity}] {title}\n**Start:** {start}\n**IC:** {commander} • **Scribe:** {scribe}\n**Scope:** {scope}\n"
        "**Impact:** {impact}\n**Hypotheses:** {hypotheses}\n**Actions taken:** {actions}\n**Next update:** {next}"),
}  # fmt: skip
TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {n: Template(name=n, states=states, text=text) for n, (states, text) in _TEXTS.items()}
)

_TRACE = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b", re.IGNORECASE)

# What never stands in a public text (spec §6), whoever approved it. Names of tenants and people do not come in: no placeholder takes them.
_NEVER_PUBLIC = (
    "no data affected", "no data was affected", "no customer data", "data is safe", "root cause", "human error", "vendor's fault",
    "hacked", "breach", "no evidence of access", "no evidence that",
)  # fmt: skip


def template(name: str, own: str = "") -> Template:
    """The template called so, e.g. `identified@1`; `own`: the organisation's text for it. Raises `Refused` when there is none."""
    if name not in TEMPLATES:
        raise Refused(f"there is no wording called {name!r}; there are {', '.join(sorted(TEMPLATES))}")
    if not own:
        return TEMPLATES[name]
    if why := unfit(name.partition("@")[0], own):
        raise Refused(f"the organisation's own wording {name}: {why}")
    return TEMPLATES[name].model_copy(update={"text": own})


def unfit(name: str, text: str) -> str:
    """Why a text may not replace the standard one called `name` (without version), with the fix; empty when it may."""
    ours = {each.partition("@")[0]: one for each, one in TEMPLATES.items() if one.states or each.startswith("support@")}
    if name not in ours:
        return f"there is no template called so; there are {', '.join(ours)}"
    standard = ours[name].fields
    try:
        named = _placeholders(text)
    except ValueError as wrong:
        return f"{wrong}; a placeholder is a name in braces, such as {{services}}"
    known = dict.fromkeys((*standard, *(("services",) if ours[name].states else ())))
    if unknown := [field for field in named if field not in known]:
        return f"{{{unknown[0]}}} is no placeholder of it; it takes {', '.join(f'{{{field}}}' for field in known)}"
    # Every public text says when it was written and when the next one comes (spec §6); the macro says where to look.
    if missing := [field for field in standard if field in ("at", "next", "link") and field not in named]:
        return f"it has to say {{{missing[0]}}}; add it"
    if "<" in text or ">" in text:
        return "a public text is plain text: leave out < and >"
    if words := banned(text):
        return f"a public text may not say {', '.join(words)}; say what customers notice instead"
    return ""


def _placeholders(text: str) -> tuple[str, ...]:
    """The names in braces, once each. Raises ValueError for what is no plain name in a matching pair of braces."""
    named = [(field, form, conversion) for _, field, form, conversion in string.Formatter().parse(text) if field is not None]
    if any(form or conversion or not field for field, form, conversion in named):
        raise ValueError("a placeholder takes nothing but its name")
    return tuple(dict.fromkeys(field for field, _, _ in named))


def render(name: str, fields: Mapping[str, str], own: str = "") -> str:
    """The template's text, filled, without marks of emphasis. Raises `Refused` for a wrong, missing or unknown field."""
    return fill(name, fields, own, lambda text: re.sub(r"^_(.+?)_", r"\1", text.replace("**", "")))


def fill(name: str, fields: Mapping[str, str], own: str = "", marks: Callable[[str], str] = str) -> str:
    """As `render`, with the marks of emphasis kept: for the places that show them (tickets)."""
    chosen = template(name, own)
    patterns = chosen.fields
    if set(fields) != set(patterns):
        raise Refused(f"wording {chosen.name} takes {', '.join(patterns)}; it was given {', '.join(sorted(fields)) or 'nothing'}")
    for field, pattern in patterns.items():
        if not re.fullmatch(pattern, fields[field]):
            raise Refused(f"wording {chosen.name}: {field} cannot be {fields[field][:80]!r}")
    return marks(chosen.text).format_map(fields)


def banned(text: str) -> tuple[str, ...]:
    """What a public text may not contain (spec §6) and does: unconfirmed assurances, blame, trace ids."""
    words = (word for word in _NEVER_PUBLIC if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags=re.IGNORECASE))
    return (*words, *(("a trace id",) if _TRACE.search(text) else ()))
