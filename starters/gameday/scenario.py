"""What a game day breaks, by playbook: data. The world is set so that a question is really asked."""

import random
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, JsonValue

from workflows.incident import Phase

USUAL_SEED = 7  # the names of this one are the plain ones that the documents use
NAMES = ("ledger", "search", "billing", "gateway", "profile", "catalog", "uploads", "payments", "alerts", "agents")


@dataclass(frozen=True)
class Options:
    playbook: str
    answers: str  # auto | decline | me
    kill: str  # "" | worker | temporal
    kills: int
    keep: bool
    pace: float
    seed: int
    faults: tuple[dict[str, Any], ...] = ()
    systems: tuple[tuple[str, str], ...] = ()  # which client a system uses, as in `[policy.systems]`
    settings: tuple[tuple[str, str], ...] = ()  # further settings of the worker
    shadow: bool = False  # the playbook only says what it would do; people mend the world by hand

    @property
    def mine(self) -> bool:
        """True when a person at this terminal is the commander."""
        return self.answers == "me"


class Deed(BaseModel):
    """Something done to the world, by its control routes (docs/practice-platform.md). `{first}` stands for the first service's name."""

    path: str
    given: dict[str, Any] = {}
    when: Phase | None = None  # not before the incident has entered this phase; None: at once
    story: str = ""  # told on screen when it is done

    def lasting(self) -> "Deed":
        """The same, until somebody ends it."""
        return self.model_copy(update={"given": {key: said for key, said in self.given.items() if key != "for_seconds"}})


class Scenario(BaseModel):
    """One exercise. `edits` set the world up, `deeds` break it, and mend it later on; `story` is told on screen."""

    story: str
    service: str = "chat"  # whose metrics are read: the LLM route's, or `{first}`
    edits: dict[str, Any] = {}
    deeds: tuple[Deed, ...] = ()
    pace: float = 120.0
    # Containment is shown slowly enough that its seconds mean something; what takes longer than six hours is hastened.
    paces: dict[Phase, float] = {}
    long_wait_pace: float = 2880.0
    values: dict[str, JsonValue] = {}  # what people say who are asked for a value, by a part of the question
    # In shadow mode people mend it: what they do by the vendors' own doors, and when, in policy minutes after the incident was opened.
    by_hand: tuple[str, ...] = ()  # paths that are posted to
    mended_after: float = 20.0

    def named(self, services: tuple[str, str]) -> "Scenario":
        text = self.model_dump_json().replace("{first}", services[0]).replace("{second}", services[1])
        return Scenario.model_validate_json(text)


SLOWLY = dict.fromkeys((Phase.DECLARED, Phase.TRIAGE, Phase.MITIGATION), 10.0)  # so that the seconds of containment mean something

SCENARIOS = {
    "llm_provider_outage": Scenario(
        story="The primary LLM provider starts to fail: 6 of 10 calls are answered 529. Its secondary is well, but its evals are 2 points below "
        "what may be used without asking, and one tier of tenants permits no other provider.",
        edits={"providers": {"borealis": {"parity": 0.93}}},
        deeds=(Deed(path="provider-faults", given={"provider": "aurora", "kind": "overload", "rate": 0.6, "for_seconds": 2400}),),
        by_hand=("/unleash/api/admin/projects/default/features/batch.enabled/environments/production/off",),
    ),
    "cost_runaway": Scenario(
        story="An agent that works by itself calls the same tool with the same arguments again and again, with two children, at twelve times of "
        "what is usual of it. Its schedule would begin it anew.",
        deeds=(Deed(path="agent-troubles", given={"kind": "loop", "factor": 12.0, "for_seconds": 3600}),),
        paces=SLOWLY,
    ),
    "model_drift": Scenario(
        story="A prompt is published that spoils the answers in one language, and the provider moves its model, which answers long questions worse. "
        "The first rollback cures half of the slices.",
        deeds=(
            Deed(path="quality/publishes", given={"part": "prompt", "spoils": {"language": "de"}, "rate": 0.8}),
            Deed(path="quality/moves", given={"spoils": {"context": "long"}, "rate": 0.8}),
        ),
        paces=SLOWLY,
    ),
    "prompt_injection": Scenario(
        story="A letter in a tenant's mail gives orders. Two agents obey: they open tickets, and fetch an address outside.",
        deeds=(
            Deed(path="injections", given={"store": "mail", "deeds": ["reversible", "outbound"]}),
            Deed(
                path="injection-fixes", given={"validates": True}, when=Phase.RECOVERY,
                story="the team patches the tools: they check where their arguments come from",
            ),
        ),
        paces=SLOWLY,
    ),
    "production_outage": Scenario(
        story="A new revision of {first} fails four of ten requests in both regions. A minute before, somebody else changed something innocent.",
        service="{first}",
        deeds=(
            Deed(path="changes", given={"services": ["{second}"], "kind": "config", "what": "log level from info to debug"}),
            Deed(path="deploys", given={"service": "{first}", "error_rate": 0.4, "what": "faster retries"}),
            Deed(
                path="deploys", given={"service": "{first}", "error_rate": 0.0, "what": "the fix"}, when=Phase.RECOVERY,
                story="the team ships a fixed build of {first}, past the freeze, as a hotfix",
            ),
        ),
    ),
    "database_failover": Scenario(
        story="The primary of the database dies. Two standbys follow it; one is in another region, and nobody has told the platform what to do.",
        service="{first}",
        deeds=(Deed(path="database-faults", given={"kind": "dead"}),),
        values={"Is the ledger": "signed off", "Which of": "db-1", "cut off from the network": "cut off"},
        paces={**SLOWLY, Phase.MITIGATION: 30.0},
    ),
    "tenant_isolation": Scenario(
        story="A release of {first} forgets `WHERE tenant_id`: two endpoints, which share their code, give documents to other tenants. "
        "Only one of them has been seen.",
        service="{first}",
        deeds=(
            Deed(path="tenancy-faults", given={"kind": "missing_where", "endpoints": ["documents.get", "documents.export"]}),
            Deed(
                path="tenancy-fixes", given={"service": True, "database": True}, when=Phase.RECOVERY,
                story="the team ships a hotfix: the tenant is enforced at the service, and by row security as the application's own role",
            ),
        ),
        paces=SLOWLY,
        values={"Which artefact": "sha256:" + 64 * "c"},
    ),
    "secret_compromise": Scenario(
        story="A stranger uses the key of a service account that deploys {first}. Whoever holds it can read four more: of sign-in, of the "
        "database, of the model provider, and one that nobody uses.",
        service="{first}",
        deeds=(Deed(path="credential-dials", given={"thief": "deployer"}),),
        paces=SLOWLY,
        values={"Which credential": "deployer", "How sure is it": "confirmed"},
        long_wait_pace=1440.0,  # a whole day is watched: in a minute, which the world can follow
    ),
    "supply_chain_cve": Scenario(
        story="A package that {first} is built with was taken over: its newest release steals what it can read. A builder, a laptop and a node have "
        "installed it, and call home.",
        service="{first}",
        deeds=(Deed(path="supply-faults", given={"kind": "malicious"}),),
        paces={**SLOWLY, Phase.MITIGATION: 60.0},
    ),
    "data_breach": Scenario(
        story="Somebody has the key of {first}'s exporter and reads 120,000 rows an hour. An OAuth app, a CI workflow and a scheduled job were left "
        "behind; while the job works, what is switched off comes back.",
        service="{first}",
        deeds=(Deed(path="intrusions", given={}),),
        paces={**SLOWLY, Phase.MITIGATION: 60.0},
        long_wait_pace=720.0,  # a day of 2.10 is watched while people evict, and three days after it: in six minutes
    ),
    "cache_poisoning": Scenario(
        story="A document that the chat answers from was changed past its origin: one of four answers about billing is wrong, and cached. "
        "The cache is a real Valkey.",
        deeds=(Deed(path="knowledge-faults", given={"kind": "poisoned", "domain": "billing"}),),
        values={"How many of": 50, "Was it restarted": "restarted"},
        paces=SLOWLY,
    ),
    "queue_backlog": Scenario(
        story="One tenant enqueues four times of what is usual of everybody; a poisoned job ends every worker that takes it. Reports could wait.",
        service="{first}",
        deeds=(
            Deed(path="job-faults", given={"kind": "hot_tenant", "queue": "interactive", "factor": 4.0, "for_seconds": 3600}),
            Deed(path="job-faults", given={"kind": "poison", "queue": "email", "factor": 1}),
        ),
        paces=SLOWLY,
    ),
}  # fmt: skip


def service_names(seed: int) -> tuple[str, str]:
    if seed == USUAL_SEED:
        return "api", "orchestrator"
    first, second = random.Random(seed).sample(NAMES, 2)
    return first, second
