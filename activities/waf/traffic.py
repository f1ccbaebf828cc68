"""What the edge has seen: which addresses attack, what a rule in preview would have denied, and of whom (A.10 M6, spec §8 S-WAF).

An address from which nearly every sign-in fails is the attack's, with its few successes: those are accounts that were opened. Where many of its
sign-ins are good, others come by it as well. Only addresses of the attack leave an activity; of everybody else there are numbers.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Protocol

from activities.action import Call, Order, System, Value, action
from activities.kit.words.shell import address as url
from activities.kit.words.shell import comment, curl, gcloud
from activities.kit.words.urls import query
from activities.values import listed
from activities.waf.numbers import EdgeNumbers
from activities.waf.words import BASE, CLOUD_ARMOR, PROJECT, TOKEN, Product

OK, FAILED, DENIED = "ok", "failed", "denied"
MOST_SHOWN = 60  # addresses of an attack that an answer holds


@dataclass(frozen=True)
class Row:
    """Requests of one kind. `rule`: that decided; `would`: the first in preview that would have denied them (0: none)."""

    address: str
    key: str
    outcome: str
    rule: int
    would: int
    n: int


@dataclass(frozen=True)
class Log:
    """What the edge has kept. `kept`: whether it keeps a log at all; `names_keys`: whether that says which key a request bears."""

    rows: tuple[Row, ...]
    kept: bool = True
    names_keys: bool = True


@dataclass(frozen=True)
class RuleList:
    """The priorities that are taken, and what every allow-list lets in."""

    taken: tuple[int, ...]
    allowing: dict[int, tuple[str, ...]]


class SeenAtEdge(Protocol):
    async def seen(self, call: Call, window: timedelta) -> Log:
        """Every request of that time, read to the end of the list. `window`: policy time."""

    async def listed(self, call: Call) -> RuleList:
        """Every rule there is."""


class Attacker(Value):
    """An address of an attack: sign-ins that failed, that were good, and requests that were denied at the edge."""

    address: str
    failed: int
    good: int
    denied: int


class TrafficOf(Order, target="edge/sign-in", effect="read what the edge has seen of sign-in in the last {window}"):
    """`keys`: credentials that may be in wrong hands, by their issuer's name of them."""

    window: timedelta
    keys: tuple[str, ...] = ()
    store: Product = "waf"
    numbers: EdgeNumbers = EdgeNumbers()

    def by_hand(self) -> tuple[str, ...]:
        return _by_hand(self.store, self.window)


class Traffic(Value):
    """Who attacks sign-in. `good`: sign-ins of others that were good; `keys`: requests that bore a key that was asked about.

    `letting_in`: allow-list → what on it lets an address of the attack in. `taken`: priorities that have a rule.
    """

    attackers: tuple[Attacker, ...]
    more: int
    good: int
    failed: int
    keys: dict[str, int]
    kept: bool
    names_keys: bool
    letting_in: dict[int, tuple[str, ...]]
    taken: tuple[int, ...]
    at: datetime

    @property
    def attacked(self) -> bool:
        """Whether requests of an attack still get as far as sign-in."""
        return any(one.failed + one.good for one in self.attackers) or bool(self.keys)

    @property
    def summary(self) -> str:
        if not self.kept:
            return "the edge keeps no log: nobody can say what it has seen"
        who = (
            f"{len(self.attackers) + self.more} addresses try passwords: {sum(one.failed for one in self.attackers)} failed"
            if self.attackers
            else ""
        )
        keys = f"{sum(self.keys.values())} requests bear {listed(tuple(self.keys))}" if self.keys else ""
        said = "; ".join(filter(None, (who, keys))) or "no attack is seen at the edge"
        return f"{said}; {self.good} sign-ins of others were good"


class HitsOf(Order, target="edge-rule/{priority}", effect="count what rule {priority} of the edge has met in the last {window}"):
    """`keys`: as in `TrafficOf`."""

    priority: int
    window: timedelta
    keys: tuple[str, ...] = ()
    store: Product = "waf"
    numbers: EdgeNumbers = EdgeNumbers()

    def by_hand(self) -> tuple[str, ...]:
        return _by_hand(self.store, self.window)


class Hits(Value):
    """What a rule has met, or would have: of the attack, of others. `ordinary`: all that others had let in; `through`: of the attack, let in still.

    None of others: nobody can say.
    """

    attack: int
    others: int | None
    ordinary: int
    through: int
    addresses: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether anything was seen by which it can be judged."""
        return self.others is not None and self.attack + self.ordinary > 0

    @property
    def share(self) -> float | None:
        """Of ordinary requests, that it denies or would deny."""
        return None if self.others is None or not self.known else self.others / max(1, self.ordinary)

    def spares(self, numbers: EdgeNumbers) -> bool:
        """Whether it surely hits next to nobody else."""
        return self.share is not None and self.share <= numbers.false_positives

    @property
    def in_words(self) -> str:
        if self.others is None:
            return "nobody can say whom it would deny: the edge keeps no log"
        whose = "no request of others" if not self.others else f"{self.others} requests of others"
        return f"it has met {self.attack} requests of the attack and {whose}, of {self.ordinary} ordinary ones"


class EdgeTraffic(System):
    """Looking only."""

    def __init__(self, edge: SeenAtEdge) -> None:
        self._edge = edge

    @action("waf.traffic")
    async def traffic(self, order: TrafficOf, call: Call) -> Traffic:
        """Who attacks sign-in, by what the edge has seen."""
        log, rules = await self._edge.seen(call, order.window), await self._edge.listed(call)
        judged = Judged(log, frozenset(order.keys), order.numbers)
        attackers = sorted((one for one in judged.attackers.values()), key=lambda one: (-one.failed, one.address))
        return Traffic(
            attackers=tuple(attackers[:MOST_SHOWN]), more=max(0, len(attackers) - MOST_SHOWN), good=judged.ordinary, failed=judged.failed,
            keys=judged.keys, kept=log.kept, names_keys=log.names_keys, letting_in=_letting_in(rules, judged.of_attack), taken=rules.taken,
            at=call.at,
        )  # fmt: skip

    @action("waf.hits")
    async def hits(self, order: HitsOf, call: Call) -> Hits:
        """What one rule has met, or would have denied while it is in preview."""
        return await counted(self._edge, call, order)


async def counted(edge: SeenAtEdge, call: Call, order: HitsOf) -> Hits:
    log = await edge.seen(call, order.window)
    judged = Judged(log, frozenset(order.keys), order.numbers)
    met = [one for one in log.rows if order.priority in (one.rule, one.would)]
    attack = [one for one in met if judged.is_attack(one)]
    others = sum(one.n for one in met if one not in attack)
    return Hits(
        attack=sum(one.n for one in attack), others=others if log.kept else None, ordinary=judged.ordinary + _denied(met, attack),
        through=sum(one.n for one in attack if one.outcome != DENIED),
        addresses=tuple(sorted({one.address for one in attack}))[:MOST_SHOWN],
    )  # fmt: skip


def _denied(met: list[Row], attack: list[Row]) -> int:
    """Of others, and denied: they were ordinary as well."""
    return sum(one.n for one in met if one.outcome == DENIED and one not in attack)


class Judged:
    """Rows, and which of them are an attack's. Pure.

    Whoever bears a stolen key is the attack: that key is dead for everybody soon. Where the log names keys, an address that signs in well besides
    is somebody else's all the same; where it does not, what came from there before the preview may have been the thief too.
    """

    def __init__(self, log: Log, keys: frozenset[str], numbers: EdgeNumbers) -> None:
        self._rows, self._keys, self._numbers, self._names_keys = log.rows, keys, numbers, log.names_keys
        self._by: dict[str, dict[str, int]] = {}
        for one in self._rows:
            if not one.key:
                counts = self._by.setdefault(one.address, dict.fromkeys((OK, FAILED, DENIED), 0))
                counts[one.outcome] += one.n
        self.attackers = {
            name: Attacker(address=name, failed=n[FAILED], good=n[OK], denied=n[DENIED]) for name, n in self._by.items() if self._tries(n)
        }

    def _tries(self, n: dict[str, int]) -> bool:
        """Passwords: many fail, and more fail than are good. One that is denied altogether has been judged before."""
        return n[FAILED] >= self._numbers.least_failed and n[FAILED] > n[OK]

    def _alone(self, address: str) -> bool:
        """Whether nobody else comes from there: nearly all fails, or is denied."""
        n = self._by.get(address)
        return n is not None and n[OK] <= (1 - self._numbers.attack_share) * (n[OK] + n[FAILED] + n[DENIED])

    def _ordinary(self, address: str) -> bool:
        n = self._by.get(address)
        return self._names_keys and n is not None and n[OK] > 0 and not self._alone(address)

    def is_attack(self, row: Row) -> bool:
        if row.key in self._keys:
            return not self._ordinary(row.address)
        return self._alone(row.address) or row.outcome == FAILED

    @property
    def keys(self) -> dict[str, int]:
        """How many requests bore a key that was asked about, and were let in."""
        found: dict[str, int] = {}
        for one in self._rows:
            if one.key in self._keys and one.outcome != DENIED:
                found[one.key] = found.get(one.key, 0) + one.n
        return found

    @property
    def of_attack(self) -> tuple[str, ...]:
        by_key = [one.address for one in self._rows if one.key in self._keys and not self._ordinary(one.address)]
        return tuple(dict.fromkeys((*(name for name in self.attackers if self._alone(name)), *by_key)))

    @property
    def ordinary(self) -> int:
        return sum(one.n for one in self._rows if one.outcome == OK and not self.is_attack(one))

    @property
    def failed(self) -> int:
        return sum(one.n for one in self._rows if one.outcome == FAILED)


def _letting_in(rules: RuleList, addresses: tuple[str, ...]) -> dict[int, tuple[str, ...]]:
    found = {name: tuple(one for one in entries if any(holds(one, who) for who in addresses)) for name, entries in rules.allowing.items()}
    return {name: entries for name, entries in found.items() if entries}


def holds(network: str, address: str) -> bool:
    """Whether an address is in a network."""
    return is_network(network) and is_network(address) and ip_address(address) in ip_network(network, strict=False)


def single(network: str) -> bool:
    """Whether it is one address."""
    return is_network(network) and ip_network(network, strict=False).num_addresses == 1


def is_network(said: str) -> bool:
    try:
        ip_network(said, strict=False)
    except ValueError:
        return False
    return True


def _by_hand(store: Product, window: timedelta) -> tuple[str, ...]:
    if store != CLOUD_ARMOR:
        asked = query({"window": window.total_seconds()})
        return (curl("GET", url(BASE, "/v1/requests", asked), ("Authorization: Bearer ", TOKEN)),)
    fresh = f"--freshness={window.total_seconds():.0f}s"
    kept = "resource.type=http_load_balancer AND (jsonPayload.previewSecurityPolicy.outcome=DENY OR httpRequest.status=401)"
    read = gcloud("logging", "read", kept, ("--project=", PROJECT), fresh, "--format=value(httpRequest.remoteIp)")
    return (read, comment("count by address; one with good sign-ins is not the attack's alone"))
