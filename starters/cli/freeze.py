"""`incident freeze`: which services are frozen, for whom, what may pass, and how to release one after an incident is over.

A freeze is a workflow of its own and is spoken to directly, whether or not an incident is open. Who speaks must hold the role; where policy
wants an order verified, the freeze sends a code to whoever may give it.
"""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from activities.freeze.orders import ARTEFACT, ExemptionPurpose, FreezeState
from activities.kit.words.code_names import OTHERS_READ, under_code_name
from starters.cli import options
from starters.cli.options import As, Code, Why
from starters.cli.terminal import AsJson, group, say, say_json
from starters.screens.text import CliError

if TYPE_CHECKING:
    from temporalio.client import Client

app = group("Change freezes: who holds which, and what may pass.")

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="The service that is frozen.", show_default=False)]
Named = Annotated[str, typer.Option("--service", metavar="SERVICE", help="The service that is frozen.", show_default=False)]
Digest = Annotated[str, typer.Option("--digest", metavar="DIGEST", help="The artefact's: sha256:…", show_default=False)]
Purpose = Annotated[ExemptionPurpose, typer.Option("--purpose", help="What the deploy is for.", show_default=False)]
Needing = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident that needs it, by its full id.", show_default=False)]
Holding = Annotated[
    str, typer.Option("--incident", "-i", metavar="INCIDENT", help="The incident that holds it, by its full id; or `budget`.")
]


@app.command("list")
def list_freezes(as_json: AsJson = False) -> None:
    """List the services that are frozen."""
    found = sorted((one for one in _states() if one.holders), key=lambda one: one.service)
    if as_json:
        return say_json([_json(one) for one in found])
    for one in found:
        say(f"{one.service}: {one.names}, since {one.since:%Y-%m-%d %H:%M} UTC{'' if one.in_force else ' (NOT PROVEN)'}")
    return None if found else say("nothing is frozen")


@app.command()
def show(service: Service, as_json: AsJson = False) -> None:
    """Show one freeze: its holders, what may pass, what was deployed past it."""
    (one,) = _states(service)
    if as_json:
        return say_json(_json(one))
    say(f"{service} is frozen" if one.holders else f"{service} is not frozen")
    for line in one.lines():
        say(f"    {line}")
    return None


@app.command()
def exempt(incident: Needing, service: Named, digest: Digest, purpose: Purpose, as_: As = "", code: Code = "") -> None:
    """Let one deploy pass a freeze: one artefact, one purpose, once, for half an hour. The commander's; a patch also Security's."""
    if not re.fullmatch(ARTEFACT, digest):
        raise CliError(f"{digest!r} is no digest: it is sha256: and at least 12 digits", "incident freeze exempt --help")
    _order(service, "exempt", as_, holder=incident, artefact=digest, purpose=purpose, code=code)


@app.command()
def release(service: Service, incident: Holding, as_: As = "", reason: Why = "", code: Code = "") -> None:
    """Release a freeze for an incident, after it is over. The commander's. Deploys go on when nobody holds it any more."""
    if not reason:
        raise CliError("a release needs a reason", "incident freeze release --help")
    _order(service, "release", as_, holder=incident, reason=reason, code=code)


def _states(*services: str) -> list[FreezeState]:
    """How these freezes are; without names, those that run."""
    from activities.freeze.freezes import PREFIX, state_of  # noqa: PLC0415 - the SDK is slow to import
    from starters import steering  # noqa: PLC0415

    async def ask(client: "Client") -> list[FreezeState]:
        async with steering.plainly(client, "the list of freezes"):
            running = client.list_workflows(f"WorkflowId STARTS_WITH '{PREFIX}' AND ExecutionStatus = 'Running'")
            return [await state_of(client, name) for name in services or [one.id.removeprefix(PREFIX) async for one in running]]

    return options.reader().talk(ask)


def _order(service: str, message: str, as_: str, **words: str) -> None:
    reader = options.reader()
    by = options.speaker(reader, as_)
    if not _states(service)[0].holders:
        raise CliError(f"{service} is not frozen", "incident freeze list")
    say(reader.say(f"freeze-{service}", message, by, **words))


def _json(one: FreezeState) -> dict[str, object]:
    hidden = [{"id": OTHERS_READ, "since": holder.since.isoformat()} for holder in one.holders if under_code_name(holder.id)]
    shown = [holder.model_dump(mode="json") for holder in one.holders if not under_code_name(holder.id)]
    return {**one.model_dump(mode="json"), "holders": [*shown, *hidden], "in_force": one.in_force}
