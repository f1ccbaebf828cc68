"""The rows of what agents may use, and of what of them is held."""

from datetime import timedelta

from activities.agents.agent_runtime import AgentRuntime
from activities.agents.holding import (
    Paused,
    PauseOf,
    Pauses,
    Profile,
    ProfileOf,
    Profiles,
    Schedules,
    SchedulesOf,
    Scheduling,
    ToolBlock,
    ToolBlocks,
    ToolOf,
)  # fmt: skip
from activities.agents.sessions import Quarantine, QuarantineOf, Quarantines
from activities.budgets.limit import Caps, Limit, LimitsOf
from activities.budgets.limits import Clamps
from activities.budgets.litellm import LiteLLM
from activities.budgets.policy_router import PolicyRouter
from activities.budgets.quotas import KeyQuotas, ProviderKeys, Quota, QuotaOf
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.search.index import SearchIndex
from activities.search.quarantine import KeptOut, StoreOf, StoreQuarantines
from activities.usage.usage_meter import UsageMeter
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage

# LiteLLM has no versions: a late write between two steps back is a conflict, and a person's to judge.
AT_ONCE = MitigationSettings(return_pause=timedelta(0))
ASSISTANT, TENANT, SESSION, TRACE = "cedar-homes.assistant", "cedar-homes", "s-00002", "tr-000001"


def runtime(played: Stage) -> AgentRuntime:
    return AgentRuntime(played.client("/agents"))


def meter(played: Stage) -> UsageMeter:
    return UsageMeter(played.client("/usage"))


def prometheus(played: Stage) -> Prometheus:
    return Prometheus(played.client("/prom"))


def clamps(played: Stage, clock: LandingClock) -> Clamps:
    return Clamps(PolicyRouter(played.client("/policy")), prometheus(played), meter(played), clock)


def litellm(played: Stage, clock: LandingClock) -> Clamps:
    return Clamps(LiteLLM(played.client("/litellm")), prometheus(played), meter(played), clock)


def quotas(played: Stage, clock: LandingClock) -> KeyQuotas:
    return KeyQuotas(ProviderKeys(played.client("/policy")), prometheus(played))


def one(name: str, **limit: object) -> Caps:
    return Caps(each={name: Limit.model_validate(limit)})


AGENTS = {
    "limits at the policy router": Practised(
        clamps, LimitsOf(scope="agent", names=(ASSISTANT,)), one(ASSISTANT, spend_usd_per_hour=40.0), one(ASSISTANT, concurrency=1),
        "policy.limits.put",
    ),
    "limits in litellm": Practised(
        litellm, LimitsOf(scope="tenant", names=(TENANT,), store="litellm"), one(TENANT, spend_usd_per_hour=40.0),
        one(TENANT, llm_rate=9000), "litellm.team.update", "litellm.team.info", fenced=False, author="somebody", numbers=AT_ONCE,
    ),
    "quotas of keys": Practised(
        quotas, QuotaOf(key="key-batch"), Quota(tokens_per_minute=400_000), Quota(tokens_per_minute=300_000), "policy.key_quota.put"
    ),
    "quarantined sessions": Practised(
        lambda played, clock: Quarantines(runtime(played), meter(played)), QuarantineOf(session=SESSION),
        Quarantine(quarantined=True, reason="it loops"), None, "agents.quarantine.put",
    ),
    "paused runs": Practised(
        lambda played, clock: Pauses(runtime(played), meter(played)), PauseOf(trace=TRACE), Paused(paused=True), None, "agents.pause.put"
    ),
    "schedules of agents": Practised(
        lambda played, clock: Schedules(runtime(played)), SchedulesOf(kind="tenants", name=TENANT), Scheduling(running=False), None,
        "agents.schedules.put",
    ),
    "blocked tools": Practised(
        lambda played, clock: ToolBlocks(runtime(played)), ToolOf(tool="web.fetch"), ToolBlock(tenants=(TENANT,)),
        ToolBlock(tenants=("nimbus-media",)), "agents.tools.put",
    ),
    "documents kept out of retrieval": Practised(
        lambda played, clock: StoreQuarantines(SearchIndex(played.client("/search"))), StoreOf(store="mail"), KeptOut(documents=("mail-1",)),
        KeptOut(documents=("mail-2",)), "search.quarantine.put",
    ),
    "agent profiles": Practised(
        lambda played, clock: Profiles(runtime(played)), ProfileOf(tenant=TENANT), Profile(strict=True, deny=("mail.send",)),
        Profile(strict=True), "agents.profile.put",
    ),
}  # fmt: skip
