"""`incident freeze`: which services are frozen, for whom, what may pass, and how to let go after an incident is over.

A freeze is a workflow of its own and is spoken to directly, whether or not an incident is open. Who speaks must hold the role; where policy
wants an order verified, the freeze sends a code to whoever may give it.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import JsonValue

from activities.freeze.orders import DIGEST, FreezeReply, FreezeState, Purpose
from starters.cli import options
from starters.cli.options import As, AsJson, Code, Why
from starters.cli.terminal import group, say, say_json
from starters.errors import CliError
from starters.screens.text import span

if TYPE_CHECKING:
    from temporalio.client import Client

PREFIX = "freeze-"  # of the workflow's id; the service follows
OPEN = f"WorkflowId STARTS_WITH '{PREFIX}' AND ExecutionStatus = 'Running'"

app = group("Change freezes: who holds which, and what may pass.")

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="The service that is frozen.", show_default=False)]
Named = Annotated[str, typer.Option("--service", metavar="SERVICE", help="The service that is frozen.", show_default=False)]
Digest = Annotated[str, typer.Option("--digest", metavar="DIGEST", help="The artefact's: sha256:…", show_default=False)]
For = Annotated[str, typer.Option("--purpose", metavar="PURPOSE", help=f"{', '.join(Purpose)}.", show_default=False)]
Holder = Annotated[
    str,
    typer.Option(
        "--incident", "-i", metavar="INCIDENT", help="The incident that holds it, by its full id; or `budget`.", show_default=False
    ),
]


@app.command("list")
def list_freezes(as_json: AsJson = False) -> None:
    """List the services that are frozen."""
    looked_up = options.reader()

    async def ask(client: "Client") -> list[FreezeState]:
        from starters import steering  # noqa: PLC0415 - the SDK is slow to import

        async with steering.plainly(client, "the list of freezes"):
            return [await _state(client, one.id.removeprefix(PREFIX)) async for one in client.list_workflows(OPEN, limit=500)]

    found = sorted((one for one in options.with_client(looked_up, ask) if one.frozen), key=lambda one: one.service)
    if as_json:
        return say_json([_told(one) for one in found])
    for one in found:
        say(f"{one.service}: {', '.join(held.id for held in one.holders)}, {_since(one)}{'' if one.in_force else ' — NOT PROVEN'}")
    if not found:
        say("nothing is frozen")
    return None


@app.command()
def show(service: Service, as_json: AsJson = False) -> None:
    """Show one freeze: its holders, what may pass, what was deployed past it."""
    one = options.with_client(options.reader(), lambda client: _state(client, service))
    if as_json:
        return say_json(_told(one))
    if not one.frozen:
        return say(f"{service} is not frozen")
    say(f"{service} is frozen, {_since(one)}" + (f"; a probe deploy was turned away {_ago(one.proven_at)}" if one.proven_at else ""))
    if one.trouble:
        say(f"NOT IN FORCE: {one.trouble}")
    for held in one.holders:
        say(
            f"    held by {held.id} since {held.since:%Y-%m-%d %H:%M} UTC ({held.by}): {held.reason}{'' if held.proven else ' — not proven'}"
        )
    for exemption in one.exemptions:
        until = f"until {exemption.expires_at:%H:%M} UTC" if not exemption.ended else exemption.ended
        say(f"    {'may pass' if not exemption.ended else 'exempted'}: one {exemption.covers}, {until}, by {' and '.join(exemption.by)}")
    for passed in one.drift:
        say(f"    deployed without an exemption: {passed}")
    for question in one.questions:
        say(f"    waits for an answer: {question}")
    return None


@app.command()
def exempt(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident that needs it, by its full id.", show_default=False)],
    service: Named, digest: Digest, purpose: For, as_: As = "", code: Code = "",
) -> None:  # fmt: skip
    """Let one deploy pass a freeze: one artefact, one purpose, once, for half an hour. The commander's; a patch also Security's."""
    if purpose not in set(Purpose):
        raise CliError(f"there is no purpose {purpose!r}; there are {', '.join(Purpose)}", "incident freeze exempt --help")
    if not DIGEST.fullmatch(digest):
        raise CliError(f"{digest!r} is no digest: it is sha256: and at least 12 digits", "incident freeze exempt --help")
    _order(service, "exempt", as_, holder=incident, digest=digest, purpose=purpose, code=code)


@app.command()
def release(service: Service, incident: Holder, as_: As = "", reason: Why = "", code: Code = "") -> None:
    """Let go of a freeze for an incident, after it is over. The commander's. Deploys go on when nobody holds it any more."""
    if not reason:
        raise CliError("a release needs a reason", f'incident freeze release {service} --incident {incident} --reason "…"')
    _order(service, "release", as_, holder=incident, reason=reason, code=code)


def _order(service: str, message: str, as_: str, **words: str) -> None:
    """Send one order to a freeze and print the sentence it answers with."""
    looked_up = options.reader()
    by = options.speaker(looked_up, as_)
    told = options.with_client(
        looked_up, lambda client: _sent(client, service, message, {"by": by, **{k: v for k, v in words.items() if v}})
    )
    say(told.said)
    if told.token:
        say(f"the exemption is {told.token}")


async def _sent(client: "Client", service: str, message: str, words: dict[str, str]) -> FreezeReply:
    from starters import steering  # noqa: PLC0415 - the SDK is slow to import

    async with _a_freeze(client, service):
        told: FreezeReply = await client.get_workflow_handle(PREFIX + service).execute_update(
            message, words, id=str(uuid.uuid4()), result_type=FreezeReply, rpc_timeout=steering.ANSWER_WITHIN
        )
    return told


async def _state(client: "Client", service: str) -> FreezeState:
    from starters import steering  # noqa: PLC0415

    async with _a_freeze(client, service):
        found: FreezeState = await client.get_workflow_handle(PREFIX + service).query(
            "state", result_type=FreezeState, rpc_timeout=steering.ANSWER_WITHIN
        )
    return found


@asynccontextmanager
async def _a_freeze(client: "Client", service: str) -> AsyncIterator[None]:
    """As `steering.plainly`; and a service without a freeze is said to be so."""
    from temporalio.service import RPCError, RPCStatusCode  # noqa: PLC0415

    from starters import steering  # noqa: PLC0415

    async with steering.plainly(client, PREFIX + service):
        try:
            yield
        except RPCError as failed:
            if failed.status is RPCStatusCode.NOT_FOUND:
                raise CliError(f"{service} is not frozen", "incident freeze list") from None
            raise


def _told(one: FreezeState) -> dict[str, JsonValue]:
    told: dict[str, Any] = one.model_dump(mode="json")
    return {**told, "frozen": one.frozen, "in_force": one.in_force}


def _since(one: FreezeState) -> str:
    return f"since {one.since:%Y-%m-%d %H:%M} UTC ({_ago(one.since)})" if one.since else "since an unknown time"


def _ago(at: datetime) -> str:
    return f"{span(datetime.now(UTC) - at)} ago"
