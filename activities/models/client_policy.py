"""How our clients behave towards a provider that fails: few attempts, jitter, a retry budget, a breaker (spec §9.2 M1)."""

from datetime import timedelta

from activities.action import Call, NotYet, Risk, Value
from activities.kit.fence import attempts
from activities.kit.rest import RestResource, RestSetting
from activities.kit.setting import Change, Reading, SettingValue
from activities.metrics.counting import beyond_chance
from activities.models.logs import Log
from activities.models.model_gateway import ModelGateway
from activities.models.routes import GATEWAY, TOKEN
from activities.organisation.numbers import BackOff

SETTLED = timedelta(seconds=30)  # policy time after which a retry policy shows in the log
TOLERANCE = 0.02  # of the retry share, above the budget


class ClientPolicyOf(RestResource, path="client-policy", called="the retry policy of our clients"):
    """The retry policy of all our clients. `route`: where its effect is looked for."""

    base, token, epochs = GATEWAY, TOKEN, False

    route: str = "chat"


class Breaker(Value):
    """When the gateway stops calling a failing provider."""

    enabled: bool
    failure_ratio: float
    min_calls: int
    window_seconds: float


class ClientPolicy(SettingValue, effect="make clients back off: {self}", back="let clients retry as before: {self}"):
    """`retry_budget` is the most retries, as a share of calls."""

    max_attempts: int
    backoff: str
    retry_budget: float
    breaker: Breaker

    def __str__(self) -> str:
        breaker = "on" if self.breaker.enabled else "off"
        return f"{self.max_attempts} attempts, backoff {self.backoff}, at most {self.retry_budget:.0%} retries, breaker {breaker}"


class ClientPolicies(
    RestSetting[ClientPolicyOf, ClientPolicy], read="models.client_policy", change="models.back_off",
    restore="models.restore_client_policy", risk=Risk.C1,
):  # fmt: skip
    """The model gateway's client policy, proven by the share of retries in its log (A.2 M1)."""

    def __init__(self, gateway: ModelGateway) -> None:
        self.rest = gateway

    async def prove(self, call: Call, order: Change[ClientPolicyOf, ClientPolicy], now: Reading[ClientPolicy]) -> str:
        """Every further attempt has waited at least `SETTLED`, and looks that much later."""
        later = call.model_copy(update={"at": call.at + (attempts(call) - 1) * SETTLED / call.pace})
        said = await self.rest.look(later, Log(route=order.of.route, window=SETTLED))
        n, share, most = sum(row["n"] for row in said["calls"]), said["retry_share"], order.wanted.retry_budget + TOLERANCE
        if not n:
            return "no traffic shows the share of retries"
        if beyond_chance(share * n, n, most):  # an open breaker lets few calls through: a few retries more are chance
            raise NotYet(f"accepted, but {share:.0%} of calls are still retries; wanted: at most {most:.0%}", after=SETTLED / call.pace)
        return f"{share:.1%} of the calls are retries"


BACKED_OFF = ClientPolicies.measure("backed off")


def back_off(settings: BackOff, route: str) -> Change[ClientPolicyOf, ClientPolicy]:
    breaker = Breaker(
        enabled=True,
        failure_ratio=settings.breaker_failure_ratio,
        min_calls=settings.breaker_min_calls,
        window_seconds=settings.breaker_window_seconds,
    )
    policy = ClientPolicy(
        max_attempts=settings.max_attempts, backoff="exponential_jitter", retry_budget=settings.retry_budget, breaker=breaker
    )
    return ClientPolicies.order(ClientPolicyOf(route=route), policy)
