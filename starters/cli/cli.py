"""`incident`: declare an incident, watch it, answer its questions, read its record.

Reading uses the ledger first, so it works when the worker and the Temporal server are down. Every error is one sentence and, if there is
one, the command that fixes it. Exit codes: 0 done, 1 refused or not possible, 2 not understood.
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from starters.alerts import command as alerts
from starters.cli import documents, freeze, look, messages, options, plan, policy, slo, terminal
from starters.cli.options import As
from starters.cli.terminal import AsJson, group, say, say_json
from starters.clocks import command as clocks
from starters.reading import Reader
from starters.screens import shadow_report, sheets
from starters.screens.text import typed
from workflows.incident import Incident

app = group((__doc__ or "").splitlines()[0])


@app.command()
def declare(
    playbook: Annotated[str, typer.Argument(help="Its file name, section or workflow type. `incident playbooks` lists them.")],
    service: Annotated[str, typer.Option(help="The affected service. Enough to start with.")] = "",
    provider: Annotated[str, typer.Option(help="The suspected provider, if any.")] = "",
    region: Annotated[str, typer.Option(help="The region, if it is only one.")] = "",
    title: Annotated[str, typer.Option(help="One line about what people see.")] = "",
    severity: Annotated[str, typer.Option(help="SEV-1 to SEV-5. Default: the playbook decides.")] = "",
    as_: As = "",
) -> None:
    """Declare an incident: start a playbook. If an incident is already open for the same thing, nothing new is started."""
    from starters import steering  # noqa: PLC0415 - the SDK is slow to import, and reading does not need it

    reader = options.reader()
    told = Incident(
        service=service, provider=provider, region=region, title=title, declared_by=options.speaker(reader, as_),
        severity=options.severity(severity) if severity else None,
    )  # fmt: skip
    if steering.playbook(playbook).card.under_code_name:
        reader = Reader(reader.settings.restricted)
    declared = reader.talk(lambda client: steering.declare(client, reader.ledger, reader.settings, playbook, told))
    say(f"{declared.incident_id} {'is declared' if declared.opened else 'is already open for the same thing; nothing new was started'}")
    say(f"watch it: {typed('watch', declared.incident_id)}")


@app.command()
def playbooks(as_json: AsJson = False) -> None:
    """List the playbooks that can be declared."""
    from worker.playbooks import discover  # noqa: PLC0415 - imports every playbook

    if as_json:
        return say_json([{"name": one.name, "workflow_type": one.type, **one.card.model_dump(mode="json")} for one in discover().values()])
    for one in discover().values():
        print(f"§{one.card.section:5}{one.name:26}{one.card.floor.label}  {one.card.title}")
    return None


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check everything that this product needs, and say how to fix what is broken."""
    from starters.cli import doctor as checks  # noqa: PLC0415 - imports the SDK

    found = checks.examine()
    if as_json:
        say_json([check._asdict() for check in found])
    else:
        for check in found:
            say(f"{check.mark} {check.name}: {check.said}")
            if check.fix:
                say(f"    → {check.fix}")
    raise typer.Exit(1 if any(check.state == "broken" for check in found) else 0)


for _group in (look, plan, messages, documents, sheets, shadow_report, slo):
    app.add_typer(_group.app)
app.add_typer(freeze.app, name="freeze")
app.add_typer(clocks.app, name="clocks")
app.add_typer(policy.app, name="policy")
app.add_typer(alerts.app, name="alerts")


def run(arguments: Sequence[str]) -> int:
    """Do what was asked and return the exit code. An error is a sentence, never a traceback."""
    return terminal.run(app, arguments)
