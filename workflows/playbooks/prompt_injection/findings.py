"""What is known of an attack: attempt, side effect and exfiltration told apart; unknown counts as yes (A.3 T1, T3). Pure."""

from dataclasses import dataclass, field

from activities.agents.examining import Answer, Item, SessionFacts, ToolCallSeen
from activities.agents.seen import Session
from activities.egress.egress import Left, OutboundCalls
from activities.search.search import HuntResult
from workflows.severity.facts import Facts, Injection, Scope, Slo, Suspicion

CORPUS, MEMORY = "corpus", "memory"


@dataclass
class Case:
    """One session. `facts`: what its export shows; `outbound`: what left by it. None: nobody knows."""

    session: Session
    facts: SessionFacts | None = None
    outbound: OutboundCalls | None = None

    @property
    def executed(self) -> Answer:
        return self.facts.executed if self.facts else Answer.UNKNOWN

    @property
    def left(self) -> Answer:
        """Whether data may have gone outside. Without a trace nothing can be excluded; a tool that called a host has said something there."""
        if (self.outbound is not None and self.outbound.left is Left.YES) or (self.facts and self.facts.hosts):
            return Answer.YES
        unknown = self.outbound is None or self.outbound.left is Left.UNKNOWN or self.facts is None or not self.facts.traced
        return Answer.UNKNOWN if unknown else Answer.NO

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*(self.facts.hosts if self.facts else ()), *(self.outbound.hosts() if self.outbound else ())]))


@dataclass
class Findings:
    """Everything that was found. `hunts`: by the evidence that was looked for; None: the search did not answer."""

    cases: dict[str, Case] = field(default_factory=dict)
    hunts: dict[str, HuntResult | None] = field(default_factory=dict)

    @property
    def executed(self) -> Answer:
        return _worst([one.executed for one in self.cases.values()])

    @property
    def left(self) -> Answer:
        return _worst([one.left for one in self.cases.values()])

    @property
    def reached(self) -> Injection:
        if self.left is not Answer.NO:
            return Injection.EXFIL
        return Injection.ATTEMPT if self.executed is Answer.NO else Injection.SIDE_EFFECT

    def severity_facts(self) -> Facts:
        suspected = Suspicion.NONE if self.left is Answer.NO else Suspicion.SUSPECTED
        if self.replicated:  # nobody can say where it ends: as grave as it can be (spec §9.3)
            suspected = Suspicion.SUSPECTED
        return Facts(injection=self.reached, data_exposure=suspected, active_adversary=self.replicated, scope=Scope.COMPONENT, slo=Slo.NO)

    @property
    def items(self) -> dict[str, Item]:
        """What carried it into the sessions, by its evidence."""
        return {item.evidence: item for one in self.cases.values() if one.facts for item in one.facts.items}

    @property
    def tenants(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.session.tenant for one in self.cases.values()))

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(host for one in self.cases.values() for host in one.hosts))

    @property
    def untraced(self) -> tuple[str, ...]:
        return tuple(name for name, one in self.cases.items() if one.facts is None or not one.facts.traced)

    @property
    def foreign(self) -> tuple[ToolCallSeen, ...]:
        """Calls whose arguments name another tenant."""
        return tuple(call for one in self.cases.values() if one.facts for call in one.facts.calls if call.names)

    @property
    def sources(self) -> dict[str, dict[str, str]]:
        """Everywhere it was found: store → document → whose it is."""
        found: dict[str, dict[str, str]] = {}
        for item in self.items.values():
            found.setdefault(item.store, {})[item.document] = item.owner
        for hunt in self.hunts.values():
            for hit in hunt.found if hunt else ():
                found.setdefault(hit.store, {})[hit.id] = hit.tenant
        return found

    @property
    def not_excluded(self) -> tuple[str, ...]:
        """The stores of which nobody can say that it is not there as well."""
        names = [name for hunt in self.hunts.values() for name in (hunt.not_excluded if hunt else ("every store",))]
        return tuple(dict.fromkeys(names))

    @property
    def replicated(self) -> bool:
        """Whether it has fired out of what an agent remembers: it writes itself on, like a worm."""
        return any(item.store == MEMORY for item in self.items.values())

    def in_words(self) -> str:
        said = f"{self.reached.value.lower().replace('_', ' ')}: executed {self.executed}, data outside {self.left} (unknown counts as yes)"
        return f"{said}; {len(self.cases)} sessions of {', '.join(self.tenants)}"


def _worst(answers: list[Answer]) -> Answer:
    """Of no session at all nothing is known."""
    for one in (Answer.YES, Answer.UNKNOWN):
        if one in answers:
            return one
    return Answer.NO if answers else Answer.UNKNOWN
