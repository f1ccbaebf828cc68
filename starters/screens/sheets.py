"""What people read before there is an incident: the severity matrix and what the rules say of some facts, and the one-page quick sheet.

They start at once: they import neither the Temporal SDK nor a database.
"""

import inspect
from typing import Any

from rich.table import Table

from starters.cli import facts
from starters.cli.terminal import AsJson, draw, group, say, say_json
from starters.screens.text import typed
from workflows.severity.classify import HEADINGS, MATRIX, RULE_OF_THUMB, Classification, classify

QUICK_SHEET = (  # seed, Appendix A, word for word
    "Declare → Assign roles → Freeze deploys.",
    "Identify blast radius and pick playbook.",
    "Stabilise: roll back, scale, clamp, disable.",
    "Recover and monitor; communicate regularly.",
    "Post‑mortem and preventative actions.",
)
COMMANDS = (  # how each is done here
    ("incident severity", "incident declare PLAYBOOK --service NAME", "incident ack", "incident assign ROLE NAME", "incident checklist"),
    ("incident playbooks", "incident status", "incident note --scope TEXT", "incident note --hypothesis TEXT"),
    ("incident approve INCIDENT QUESTION --code CODE", "incident by-hand INCIDENT", "incident measures --by-hand"),
    ("incident watch INCIDENT", "incident note --impact TEXT", "incident timeline INCIDENT"),
    ("incident postmortem INCIDENT -o FILE",),
)

BASIS = {"seed": "seed", "dflt": "default"}

app = group()


def quicksheet(as_json: AsJson = False) -> None:
    """Print the one-page quick sheet, made for paper (seed, Appendix A)."""
    numbered = list(enumerate(zip(QUICK_SHEET, COMMANDS, strict=True), start=1))
    if as_json:
        return say_json({"lines": [{"number": n, "text": text, "commands": commands} for n, (text, commands) in numbered], **_matrix()})
    print("One‑page quick sheet\n")
    for number, (text, commands) in numbered:
        print(f"{number}. {text}", *(f"     {command}" for command in commands), "", sep="\n")
    for row in MATRIX:
        print(f"{row.name} {row.impact}:\n     {row.examples}")
    print(f"\n{unmarked(RULE_OF_THUMB)}")
    print("Nothing answers: incident doctor. With server and worker down: incident by-hand.\n")
    print("Incident __________________  IC __________  Scribe __________  declared __:__")
    return None


def severity(**said: Any) -> None:
    """Print the severity matrix. With facts: the severity that the rules give them, and why. Declares nothing."""
    as_json, unsure, unknown = said.pop("as_json"), said.pop("unsure"), said.pop("unknown")
    if not unsure and not unknown and all(typed in (None, []) for typed in said.values()):
        if as_json:
            return say_json(_matrix())
        table = Table(*HEADINGS, show_lines=False, padding=(0, 1), header_style="bold")
        for row in MATRIX:
            table.add_row(*row[1:])
        draw(table)
        say(unmarked(RULE_OF_THUMB))
        return say("to classify facts: incident severity --help")
    known = facts.facts_of(said, unknown, unsure)
    found = classify(known)
    if as_json:
        rules = [rule.model_dump(mode="json") | {"label": rule.severity.label} for rule in found.rules]
        level = {"severity": int(found.severity), "label": found.severity.label, "priority": found.severity.priority}
        told = known.model_dump(mode="json", exclude_defaults=True)
        return say_json({**level, "confidence": found.confidence, "unsure": unsure_of(found), "rules": rules, "facts": told})
    return print("\n".join(explained(found)))


def explained(found: Classification) -> list[str]:
    """A classification in words: the severity, every rule that fired with its basis, and how to declare it."""
    level = found.severity
    width = max(len(rule.rule) for rule in found.rules)
    return [
        f"{level.label} ({level.priority}) · {next(row.impact for row in MATRIX if row.severity is level)}",
        *(f"  {rule.rule:{width}}  {rule.severity.label}  {rule.because} [{BASIS[rule.basis]}]" for rule in found.rules),
        f"confidence {found.confidence:.0%}",
        *([f"not all facts that matter are known: {unmarked(RULE_OF_THUMB)}"] if unsure_of(found) else []),
        f"nothing was declared; to declare: {typed('declare', 'PLAYBOOK', '--service', 'NAME', '--severity', level.label)}",
    ]


def unsure_of(found: Classification) -> bool:
    """True when a doubt decided it: the rule of thumb, U."""
    return any(rule.rule == "U" and rule.severity == found.severity <= 2 for rule in found.rules)


def unmarked(text: str) -> str:
    """The seed's text without its marks of emphasis."""
    return text.replace("**", "").replace("`", "")


def _matrix() -> dict[str, Any]:
    return {"severities": [row._asdict() | {"severity": int(row.severity)} for row in MATRIX], "rule_of_thumb": unmarked(RULE_OF_THUMB)}


# One option for every field of `Facts`: the signature that typer reads is made from the model, so that none can be forgotten.
severity.__signature__ = inspect.Signature([*facts.options(), facts.option("as_json", AsJson, False)])  # type: ignore[attr-defined]
app.command()(severity)
app.command()(quicksheet)
