"""Legal clocks whose workflow was ended by an operator, or failed: nobody would be told of a deadline any more, and no incident sees it."""

from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus

from activities.clocks.clock import PREFIX
from activities.ledger.discrepancies import CLOCKS_ENDED, Discrepancy
from starters.screens.text import plain, typed

HOW = {
    WorkflowExecutionStatus.TERMINATED: "was terminated on the server", WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.TIMED_OUT: "timed out",
}  # fmt: skip
AT_MOST = 1000  # runs that are looked at in one comparison


async def clocks_ended(client: Client) -> list[Discrepancy]:
    """The latest run of each set of clocks, where that was ended by others. Raises `RPCError` when the server says nothing."""
    states = ", ".join(f"'{name}'" for name in ("Terminated", "Failed", "TimedOut"))
    query = f"WorkflowType = 'LegalClocks' AND ExecutionStatus IN ({states})"
    found: list[Discrepancy] = []
    for id in dict.fromkeys([one.id async for one in client.list_workflows(query, limit=AT_MOST)]):
        now = await client.get_workflow_handle(id).describe(rpc_timeout=timedelta(seconds=5))
        if now.status in HOW:  # else a later run goes on
            incident = id.removeprefix(PREFIX)
            again = typed("clocks", "open", incident, "--reason", "their workflow was ended")
            text = f"the legal clocks of {incident}: their workflow {HOW[now.status]}, and nobody is told of a deadline any more. {again}"
            found.append(Discrepancy(incident_id=incident, kind=CLOCKS_ENDED, text=plain(text), severity=1, occasion=now.run_id))
    return found
