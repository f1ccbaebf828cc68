"""§2.4, never by us: the statement that nobody had access, in any text; a notice; a deletion; contact; a lower severity."""

import ast
import re
from pathlib import Path

from activities.everything import verbs
from activities.texts.templates import _NEVER_PUBLIC  # what is refused in a public text, whoever has approved it
from worker.playbooks import discover
from workflows.engine.lifecycle.calling import SEED
from workflows.playbooks.data_breach.letters import SUBJECT, TEXT

ROOT = Path(__file__).parents[3]
NEVER = re.compile(
    r"no (evidence|sign|indication|trace)s? (of|that)[^.]{0,30}(access|read|taken|seen|exfiltrat)"
    r"|no data (was|were|has been|affected)|(was|were) not accessed",
    re.IGNORECASE,
)
OTHERWISE = ("cannot be excluded",)  # what says the opposite
NODES = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def texts() -> list[tuple[str, str]]:
    """Every text of the product: strings of the code but docstrings, rules of alerts, tables of clocks."""
    found = []
    for folder in ("activities", "workflows", "starters"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(file.read_text())
            first = [node.body[0] for node in ast.walk(tree) if isinstance(node, NODES) and node.body]
            docs = {id(one.value) for one in first if isinstance(one, ast.Expr)}
            said = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs]
            found += [(str(file.relative_to(ROOT)), one) for one in said if isinstance(one, str) and one not in _NEVER_PUBLIC]
    for file in [*(ROOT / "alerts").glob("*.yml"), *(ROOT / "activities").rglob("*.toml")]:
        found.append((str(file.relative_to(ROOT)), file.read_text()))
    return found


def test_no_text_of_ours_says_that_nobody_had_access() -> None:
    assert NEVER.search("There is no evidence of access to your data") and NEVER.search("No data was affected"), (
        "what is looked for is found"
    )
    wrong = [(file, text[:200]) for file, text in texts() if NEVER.search(text) and not any(one in text for one in OTHERWISE)]
    assert not wrong, wrong


def test_the_letter_says_what_when_which_data_what_we_did_what_to_do_and_when_we_write_again() -> None:
    assert all(
        part in TEXT
        for part in ("{first}", "{last}", "{kinds}", "{hours}", "cutting that access off", "Please look whether", "answer this letter")
    )
    assert SUBJECT.isprintable() and not NEVER.search(TEXT)


def test_there_is_no_verb_that_notifies_an_authority_pays_or_answers_anybody() -> None:
    names = {said.name for cls in verbs() for verb in vars(cls).values() if (said := getattr(verb, "__action__", None))}
    assert not [one for one in names if re.search(r"regulator|ransom|pay|contact|notify|submit|delete|wipe|purge", one)], names


def test_every_playbook_of_the_seed_is_installed_and_whoever_suspects_a_breach_says_by_which_sign() -> None:
    """No stated task stands in for §2.4 any more: it is called in, and told what it is about."""
    assert set(SEED) <= set(discover())
    calls = []
    for file in sorted((ROOT / "workflows" / "playbooks").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "attr", "") == "call_in"
                and getattr(node.args[0], "value", "") == "data_breach"
            ):
                calls.append((file.parent.name, ast.unparse(node.args[2]) if len(node.args) > 2 else ""))
    assert {name for name, _ in calls} == {
        "database_failover",
        "prompt_injection",
        "secret_compromise",
        "supply_chain_cve",
        "tenant_isolation",
    }
    assert all("'signal'" in told for _, told in calls), calls
