"""What time does to knowledge: sources are fetched anew, customers ask, entries are cached, poison is written again."""

from __future__ import annotations

from random import Random

from practice.knowledge import answering
from practice.knowledge.cast import domains
from practice.knowledge.library import Domain, Knowledge, hashed
from practice.knowledge.operations import advance
from practice.metrics.metrics import Metrics
from practice.world.state import State

ASKED = 10  # questions for each domain and step that are looked at by a judge
HEALTHY_HITS = 0.9  # of the questions, where nothing is wrong and nobody looks
RECENT = 60  # answers of a domain that are kept for whoever looks
REWRITTEN_EVERY = 120.0  # seconds after which poison is written again
REPORTED = 0.1  # of the wrong answers
STORM = 4.0  # questions to the origin for one that misses, where nothing holds them together


class Simulation:
    """Counts for every question only where something is touched; otherwise it adds what a healthy step adds."""

    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._chance, self._metrics = Random(seed), metrics
        self._service, self._tenants = state.route.alias, sorted(state.tenants)
        self._born = False
        self._load = metrics.gauge("origin_load_ratio", {"service": self._service})

    def step(self, state: State, at: float) -> None:
        knowledge = state.part(Knowledge)
        if not knowledge.domains:
            knowledge.domains = domains(state.tenants.values(), at)
        if not self._born:
            self._be_born(knowledge)
        for domain in knowledge.domains.values():
            self._sync(domain, at)
        self._sources(knowledge)
        if not (knowledge.touched or knowledge.cache):
            self._healthy(knowledge)
            return
        advance(knowledge, at)
        self._write_poison(knowledge, at)
        asked = answering.ask(knowledge, self._tenants, self._chance, ASKED)
        missed = answering.answer(knowledge, asked, self._tenants, self._chance, at)
        self._judge(knowledge, asked, at)
        self._loaded(knowledge, sum(self._asks(knowledge, one.domain) for one in missed) / max(1, len(asked)))

    def _be_born(self, knowledge: Knowledge) -> None:
        """Every counter is there from the beginning: one that is born at 1 is invisible to `increase()`."""
        self._born = True
        labels = {"service": self._service}
        of = [{**labels, "domain": name} for name in knowledge.domains]
        self._right = [self._metrics.counter("cag_hits_total", {**one, "judged": "right"}) for one in of]
        self._wrong = [self._metrics.counter("cag_hits_total", {**one, "judged": "wrong"}) for one in of]
        self._ok = [self._metrics.counter("rag_citation_total", {**one, "trust": "ok"}) for one in of]
        self._denied = [self._metrics.counter("rag_citation_total", {**one, "trust": "denied"}) for one in of]
        self._refreshed = [self._metrics.gauge("rag_source_last_refreshed_timestamp_seconds", one) for one in of]
        self._max_age = [self._metrics.gauge("rag_source_max_age_seconds", one) for one in of]
        for one in of:
            self._metrics.gauge("cag_correct_ratio_usual", one).value = 0.99

    def _sync(self, domain: Domain, at: float) -> None:
        """A source that is due is looked at: what its origin has changed is fetched, and goes into the index in use."""
        for source in domain.sources.values():
            if not source.syncing or at - source.last_refreshed < source.period:
                continue
            source.last_refreshed = at
            for document in domain.documents.values():
                if document.source != source.name:
                    continue
                document.fetched_at = at
                if document.seen != (now := hashed(document.origin)):
                    document.seen, document.text = now, document.origin
                    domain.live.texts[document.id] = document.text

    def _write_poison(self, knowledge: Knowledge, at: float) -> None:
        if not knowledge.writer or at % REWRITTEN_EVERY >= 15.0:
            return
        knowledge.rewritten += 1
        for domain in knowledge.domains.values():
            for name in knowledge.writer.keys() & domain.documents.keys():
                document = domain.documents[name]
                document.text = f"{knowledge.writer[name]} (rev. {knowledge.rewritten})"
                document.provenance = 0.2
                domain.live.texts[name] = document.text

    def _healthy(self, knowledge: Knowledge) -> None:
        for series in (*self._right, *self._ok):
            series.value += ASKED
        self._loaded(knowledge, 1 - HEALTHY_HITS)

    def _judge(self, knowledge: Knowledge, asked: list[answering.Asked], at: float) -> None:
        places = {name: n for n, name in enumerate(knowledge.domains)}
        for one in asked:
            if one.text is None:
                continue
            n = places[one.domain.name]
            (self._right if one.right else self._wrong)[n].value += 1
            if not one.right:
                self._reported(one)
                if one.tenant not in (wronged := knowledge.wronged.setdefault(one.domain.name, [])):
                    wronged.append(one.tenant)
            (self._denied if one.denied else self._ok)[n].value += 1
            kept = knowledge.recent.setdefault(one.domain.name, [])
            kept.append(answering.as_seen(one, at))
            del kept[:-RECENT]

    def _sources(self, knowledge: Knowledge) -> None:
        """What answers are made from: since when, how much of the latest ones, and how many documents are not as their origin shows them."""
        for domain in knowledge.domains.values():
            labels = {"service": self._service, "domain": domain.name}
            differs = float(sum(domain.live.texts.get(one.id) != one.origin for one in domain.documents.values()))
            self._metrics.gauge("rag_documents_differing", labels).value = differs
            tops = domain.shares(knowledge.recent.get(domain.name, []))
            for source in domain.sources.values():
                of = {**labels, "source": source.name}
                self._metrics.gauge("rag_source_share_of_top", of).value = tops[source.name]
                self._metrics.gauge("rag_source_added_timestamp_seconds", of).value = source.added

    def _reported(self, asked: answering.Asked) -> None:
        """Some customers say that an answer was wrong."""
        if self._chance.random() < REPORTED:
            of = {"service": self._service, "domain": asked.domain.name, "source": asked.document.source, "tenant": asked.tenant}
            self._metrics.counter("answer_reports_total", of).value += 1

    def _asks(self, knowledge: Knowledge, domain: Domain) -> float:
        """How often a miss asks the origin."""
        if domain.coalescing.on or domain.serving.mode == "stale_ok":
            return 0.5
        return STORM if knowledge.storm else 1.0

    def _loaded(self, knowledge: Knowledge, missed: float) -> None:
        """How busy the origin is: its usual load, and what every miss asks of it."""
        self._load.value = min(1.5, 0.25 + 0.45 * missed)
        for n, domain in enumerate(knowledge.domains.values()):
            self._refreshed[n].value = min(source.last_refreshed for source in domain.sources.values())
            self._max_age[n].value = domain.freshness.max_age_seconds
