"""`incident policy`: standing policies, which let automation do one thing without asking. Two people sign each, with a personal code."""

import json
import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from starters.cli import options
from starters.cli.options import As, Code
from starters.cli.terminal import AsJson, group, say, say_json
from starters.screens.text import CliError

if TYPE_CHECKING:
    from temporalio.client import Client

app = group("Standing policies: what automation may do without asking.")

Name = Annotated[str, typer.Argument(metavar="POLICY", help="The verb, as [policy.standing] names it.", show_default=False)]


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="POLICY", help="The verb. Default: all of them.")] = "", as_json: AsJson = False
) -> None:  # fmt: skip
    """Show the exact text, who has signed it, and whether it is in force."""
    names = [name] if name else sorted(options.policy(options.reader()).standing)
    if as_json:
        say_json([json.loads(_asked("look", one, "")) for one in names])
        return
    for one in names:
        for line in f"{one}: {_asked('show', one, '')}".splitlines():
            say(line)
    if not names:
        say("there is no standing policy: everything is asked")


@app.command()
def sign(name: Name, as_: As = "", code: Code = "") -> None:
    """Sign the text that stands in the file now. Without --code, a code is sent to you first."""
    say(_asked("sign", name, as_, code))


@app.command()
def revoke(name: Name, as_: As = "") -> None:
    """End a policy at once. The same text never comes into force again."""
    say(_asked("revoke", name, as_))


def _asked(what: str, name: str, as_: str, code: str = "") -> str:
    """Have a worker do it: only workers have the secrets."""
    from temporalio.client import WorkflowFailureError  # noqa: PLC0415 - the SDK is slow to import

    from starters import steering  # noqa: PLC0415

    reader = options.reader()
    request = {"what": what, "name": name, "by": options.speaker(reader, as_) if what in ("sign", "revoke") else "", "code": code}

    async def talk(client: "Client") -> str:
        async with steering.plainly(client, "the worker"):
            try:
                said: str = await client.execute_workflow(
                    "PolicySigning", request, id=f"policy-{name}-{uuid.uuid4()}", task_queue=reader.settings.task_queue(3),
                    result_type=str, execution_timeout=steering.ANSWER_WITHIN,
                )  # fmt: skip
            except WorkflowFailureError as failed:
                raise CliError(getattr(failed.cause, "message", None) or str(failed.cause), "incident policy show") from None
        return said

    return reader.talk(talk)
