"""Signing a standing policy, outside any incident (spec §2.5.6, §4: a two-person change): the worker has the secrets, a person's machine has not.

Without a code, one is sent to the person for exactly the text that stands in the file now. With it, the text is signed.
"""

from typing import Any, Literal

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.action import Role, Value
from activities.organisation.organisation import Organisation, ReadAll
from activities.organisation.standing import RevokePolicy, SignPolicy, StandingOf, StandingPolicies, StandingPolicy
from activities.paging.orders import SendSigningCode
from activities.paging.pager import Pager
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.errors import RetriesExhausted
from workflows.incident import Card, Severity

CARD = Card(
    section="2.5", title="Standing policy", short="policy", floor=Severity.SEV3, lead=(Role.INCIDENT_COMMANDER,), triggers=(), sure=True
)


class PolicyRequest(Value):
    """What is wanted of one standing policy, and by whom. `look`: the policy as it is now, as JSON."""

    what: Literal["show", "look", "sign", "revoke"] = "show"
    name: str
    by: str = ""
    code: str = ""


@workflow.defn
class PolicySigning:
    """One command of a person; it ends with the sentence that they read."""

    @workflow.init
    def __init__(self, *given: Any) -> None:
        info = workflow.info()
        self._state = IncidentState(info.workflow_id, info.workflow_type, CARD, workflow.now())
        self._invoker = Invoker(self._state)

    @workflow.run
    async def run(self, *given: Any) -> str:
        try:
            asked = PolicyRequest.model_validate(given[0] if len(given) == 1 else None)
            self._state.policy = await self._invoker.quietly(Organisation.policy, ReadAll())
            return await self._answer(asked)
        except ValidationError as wrong:
            raise ApplicationError(f"not understood: {wrong.errors()[0]['msg']}", type="NotAccepted", non_retryable=True) from None
        except RetriesExhausted as out:
            raise ApplicationError(out.why, type="NotAccepted", non_retryable=True) from None

    async def _answer(self, asked: PolicyRequest) -> str:
        policy = await self._invoker.quietly(StandingPolicies.of, StandingOf(name=asked.name))
        match asked.what:
            case "show":
                return _shown(policy)
            case "look":
                return policy.model_dump_json()
            case "revoke":
                await self._invoker.quietly(StandingPolicies.revoke, RevokePolicy(name=asked.name, person=asked.by))
                return f"{asked.name} is revoked by {asked.by}: what it allowed is asked from now on"
        if not asked.code:
            return await self._send_code(asked, policy)
        order = SignPolicy(name=asked.name, person=asked.by, code=asked.code)
        said = (await self._invoker.quietly(StandingPolicies.sign, order)).after
        return f"{asked.by} has signed: " + (str(said["why_not"]) or f"in force: {said['says']}")

    async def _send_code(self, asked: PolicyRequest, policy: StandingPolicy) -> str:
        roster = await self._invoker.quietly(Organisation.roster, ReadAll())
        person = roster.person(asked.by)
        if person is None:
            raise ApplicationError(f"nobody called {asked.by[:60]!r} is on the roster", type="NotAccepted", non_retryable=True)
        order = SendSigningCode(
            incident_id=self._state.id, people=(person,), policy=policy.name, text_digest=policy.digest, text=policy.text,
        )  # fmt: skip
        await self._invoker.quietly(Pager.send_signing_code, order)
        return f"a code for this very text is on its way to {person.id}: {policy.text}"


def _shown(policy: StandingPolicy) -> str:
    state = f"NOT in force: {policy.why_not}" if policy.why_not else f"in force: {policy.in_words}"
    return f"{policy.text}\n    {state}"
