"""What an order says of itself never draws on a terminal, wherever it is shown, and never becomes a command."""

from datetime import timedelta

import pytest
from rich.console import Console, Group

from activities.kit.words.escape import UNSEEN
from starters.cli import plan
from starters.screens import by_hand
from starters.screens.incident import render
from starters.screens.lists import changes
from tests.abuse.orders import Filled, every_order, room
from tests.abuse.test_bad_input import HOSTILE
from tests.screens import situations
from tests.screens.situations import NOW
from workflows.status import Outcome, Status

# It is undone to the modes of the very tenants that it changed: a state before with other tenants has no inverse.
NEEDS_ITS_PRIOR = {"models.Change[ModesOf, Modes]"}
ORDERS = {f"{room(one)}.{one.__name__}": one for one in every_order()}


def saying(text: str, effect: str, inverse: str, target: str) -> Status:
    """An incident in which everything that can come from outside or from an order is this."""
    asking = situations.asking()
    return situations.ticked(
        title=text, waiting_for=text, outcome=text, commander=text, because=(text,), room=text, service=text, scope=text, impact=text,
        steps=[step.model_copy(update={"says": effect, "target": target, "result": effect}) for step in asking.steps],
        in_force=[one.model_copy(update={"target": target, "held_by": text, "lifts_by": inverse}) for one in asking.in_force],
        tasks=[task.model_copy(update={"text": effect, "due": text}) for task in asking.tasks],
        plan=[step.model_copy(update={"says": effect, "target": target}) for step in situations.ticked().plan],
        questions=[situations.question(asks=effect, effect=effect, inverse=inverse, facts=(text,))],
    )  # fmt: skip


def drawn(picture: Group) -> str:
    console = Console(width=100, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(picture)
    return capture.get()


@pytest.mark.parametrize("name", ORDERS)
def test_no_order_draws_on_a_screen(name: str) -> None:
    for text in ("terminal", "right to left", "lines"):
        order = Filled(HOSTILE[text], 0).order(ORDERS[name])
        inverse = "" if name in NEEDS_ITS_PRIOR else order.inverse()
        status = saying(HOSTILE[text], order.effect(), inverse, order.target())
        shown = [
            drawn(render(status, NOW, 100, full=True)),
            drawn(plan.picture(Outcome(incident_id="inc-x", state=status.state, summary="", rehearsed=status))),
        ]
        shown += [*by_hand.rest(status, [], NOW, "the ledger", NOW - timedelta(seconds=3)), *changes(None, status)]
        assert not [line for picture in shown for line in picture.split("\n") if UNSEEN.search(line)]
        commands = [line for line in by_hand.rest(status, [], NOW, "the ledger", NOW) if line and not line.startswith("# ")]
        parts = (status.in_force, status.steps, status.tasks, status.plan, status.questions)
        assert set(commands) <= {line for part in parts for one in part for line in one.by_hand}
