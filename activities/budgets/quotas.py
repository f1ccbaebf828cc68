"""The quota of a key at its provider: the wall behind our own limits (A.6 M4). It lowers everything that uses the key, so a person is asked."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from activities.action import Call, NotYet, Refused, Risk, Role, System, Value, action
from activities.budgets.by_hand import BASE, TOKEN
from activities.kit.rest import RestClient, RestLook, RestResource, RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.words import promql
from activities.metrics.counting import again
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings


class ProviderKeys(RestClient):
    """Our keys at providers, behind the policy router."""


class KeysLook(
    RestLook, target="provider-keys", effect="read our keys at providers: their quotas, and from where they are used", path="provider-keys"
):
    base, token = BASE, TOKEN


class ProviderKey(Value):
    """A key by its name. `networks`: from which the provider saw it used; `tokens_per_minute`: its quota, None as in the contract."""

    key: str
    provider: str
    tokens_per_minute: int | None
    networks: tuple[str, ...]


class KeyList(Value):
    keys: tuple[ProviderKey, ...]


class QuotaOf(RestResource, path="provider-keys/{key}/quota", called="the quota of {key} at its provider"):
    base, token, epochs = BASE, TOKEN, False

    key: str


class Quota(SettingValue, effect="let the provider take {self} with {of.key}", back="let the provider take {self} with {of.key} again"):
    """Tokens per minute that the provider takes; None: what the contract says."""

    tokens_per_minute: Annotated[int, Field(ge=1)] | None  # nothing at all would end everything that uses the key

    def __str__(self) -> str:
        return "what the contract says" if self.tokens_per_minute is None else f"{self.tokens_per_minute} tokens per minute"

    def met(self, now: Self) -> bool:
        return self.same(now) or (self.tokens_per_minute is not None and (now.tokens_per_minute or float("inf")) <= self.tokens_per_minute)

    def both(self, other: Self) -> Self:
        given = [one.tokens_per_minute for one in (self, other) if one.tokens_per_minute is not None]
        return self.model_copy(update={"tokens_per_minute": min(given, default=None)})

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        return (before,)


class KeyQuotas(
    RestSetting[QuotaOf, Quota], read="provider_keys.quota", change="provider_keys.lower", restore="provider_keys.restore", risk=Risk.C2,
    asks=(Role.FINANCE, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Quotas of keys, proven by the provider's own meter."""

    def __init__(self, keys: ProviderKeys, prometheus: Prometheus) -> None:
        self.rest, self._prometheus = keys, prometheus

    async def check(self, call: Call, order: Change[QuotaOf, Quota] | Restore[QuotaOf, Quota], to: Quota) -> None:
        if isinstance(order, Change):
            now = (await self.look_at(call, order.of)).value.tokens_per_minute
            if to.tokens_per_minute is None or (now is not None and to.tokens_per_minute > now):
                raise Refused(f"{order.of} would be {to}, and is {now} now: automation never raises a quota")

    async def prove(self, call: Call, order: Change[QuotaOf, Quota], now: Reading[Quota]) -> str:
        most, key = order.wanted.tokens_per_minute, order.of.key
        meter = promql.selector("provider_meter_tokens_total", key=key)
        seen = await self._prometheus.number(call, promql.total(promql.rate(meter, order.numbers.settled)))
        if seen is None or most is None:
            return "the provider's meter says nothing"
        if seen * 60 > most * 1.05:
            raise NotYet(
                f"accepted, but the provider still counts {seen * 60:.0f} tokens per minute with {key}", after=again(call, order.numbers)
            )
        return f"the provider counts {seen * 60:.0f} tokens per minute with {key}"


LOWERED = KeyQuotas.measure("quota lowered")


class Keys(System):
    """Our keys at providers."""

    def __init__(self, keys: ProviderKeys) -> None:
        self._keys = keys

    @action("provider_keys.list")
    async def list(self, order: KeysLook, call: Call) -> KeyList:
        """Every key of ours, its quota, and from where it is used."""
        return KeyList.model_validate(await self._keys.look(call, order))


def lower(key: str, tokens_per_minute: int, numbers: MitigationSettings | None = None) -> Change[QuotaOf, Quota]:
    return KeyQuotas.order(QuotaOf(key=key), Quota(tokens_per_minute=tokens_per_minute), numbers=numbers)
