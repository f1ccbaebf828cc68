"""The failover in the order of the spec: read-only, snapshot, fence, promote, one writer, reopen (§9.9; A.9 M1 to M10)."""

from activities.action import Grant, Role, action_of
from activities.databases.databases import Databases, FenceOf, OneWriterOf
from activities.databases.jobs import Promote, Promotions, Replay, Snapshot, Snapshots, Warm, Warmings, WriteReplays
from activities.databases.seen import ClusterOf
from activities.databases.settings import (
    FENCED,
    HA_PAUSED,
    NO_WRITERS,
    Access,
    Accesses,
    AccessOf,
    Endpoint,
    EndpointOf,
    Endpoints,
    Fence,
    Fences,
    Ha,
    HaOf,
    HaPauses,
    NodeOf,
)
from activities.flags.flags import SWITCHED_OFF, switch_off
from activities.kit.setting import Change
from activities.write_gate.write_gate import READ_ONLY, read_only
from workflows.engine.measures import lift_question
from workflows.engine.verbs import Verbs
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.database_failover.cluster import Cluster
from workflows.playbooks.database_failover.findings import Choice, Found, Loss, fit
from workflows.severity.facts import DataLoss, Facts

BATCH = ("batch.enabled", "scheduler.enabled")  # who writes much and can wait
HEAVY = ("tools.high_psu",)  # who reads much
BOTH = (Role.INCIDENT_COMMANDER, Role.DB_LEAD)


class Failover:
    """It decides nothing: whether there is a failover, and to what, is the playbook's and people's."""

    def __init__(self, verbs: Verbs, cluster: Cluster) -> None:
        self._verbs, self._cluster, self._numbers = verbs, cluster, cluster.numbers
        self.name = cluster.name
        self.loss: Loss | None = None
        self.writer = ""  # the primary of now, once there is one
        self.diverged = False  # two nodes have taken writes, or something was lost: people reconcile
        self._tried = frozenset[str]()

    # ---- before anything is fenced ----

    async def hold_still(self, found: Found) -> None:
        """M1: batch writers stop, and the manager promotes nobody while people and we decide. Deploys are frozen by the first minutes."""
        verbs = self._verbs
        order = HaPauses.order(HaOf(cluster=self.name, store=self._cluster.store), Ha(paused=True), why="one decides, and not two")
        batch = (verbs.impose(SWITCHED_OFF, switch_off(flag, f"{found.primary}: {found.verdict}", verbs.policy)) for flag in BATCH)
        await verbs.together(verbs.impose(HA_PAUSED, order), *batch)

    async def stop_writes(self, found: Found, *, authorised: bool = False) -> None:
        """M2: the application takes no writes; and where the database can still be told so, its role has no right to write."""
        verbs, service = self._verbs, await self._verbs.deployed()
        why = f"{found.primary}: {found.verdict}"
        numbers = verbs.policy.mitigation.model_copy(
            update={"writes_return": self._numbers.write_steps, "return_pause": self._numbers.write_step}
        )
        gate = read_only(service.name, service.regions, why, numbers)
        closed = await verbs.impose(READ_ONLY, gate, facts=found.evidence, authorised=authorised)
        if not closed and not verbs.in_force(READ_ONLY):
            verbs.hand_over("the application is not read-only: nothing is fenced or promoted while it writes (INV-3)")
        self._cluster.closed_at = self._cluster.closed_at or verbs.clock()
        primary = found.seen.node(found.primary)
        if primary is not None and primary.reachable:
            order = Accesses.order(AccessOf(cluster=self.name, store=self._cluster.store), Access(writes=False), why=why)
            await verbs.impose(
                NO_WRITERS, order, facts=("sessions that are open keep writing after the gate has closed",), authorised=authorised
            )
        said = f"{service.name} is read-only: its database {self.name} has no primary that may take writes"
        verbs.say(said)
        verbs.page(BOTH, f"{said}; fence and promotion wait for two of you")  # nobody writes only with somebody paged

    async def keep_snapshots(self, found: Found) -> None:
        """M3: of everything that can be reached, both sides where they differ, before anything is fenced (INV-1)."""
        verbs = self._verbs
        reached = [one.id for one in found.seen.nodes if one.reachable]
        kept = await verbs.together(
            *(verbs.propose(Snapshots.create, Snapshot(cluster=self.name, store=self._cluster.store, node=node)) for node in reached)
        )
        missing = [node for node, done in zip(reached, kept, strict=True) if not done]
        if missing or not reached:
            verbs.task(f"Take a snapshot of {', '.join(missing) or self.name} by hand: ours could not be taken", Role.DB_LEAD)

    # ---- fence ----

    async def fence(self, node: str, facts: tuple[str, ...]) -> bool:
        """M5: sticky, and proven by writes that are refused from two networks. Not verified: people cut the network, and it is looked at again."""
        verbs = self._verbs
        order = Fences.order(NodeOf(cluster=self.name, store=self._cluster.store, node=node), Fence(fenced=True))
        if await verbs.impose(FENCED, order, facts=facts):
            return True
        cut = f"Cut {node} off: at the load balancer, the security group or the switch; ask the provider's support where that is theirs"
        task = verbs.task(cut, Role.DB_LEAD, order.by_hand())
        said = await verbs.ask(
            f"Is {node} cut off from the network?", roles=BOTH, example='"cut off"', about=task,
            facts=(f"the fence of {node} could not be verified: {self.name} stays read-only until it is",),
        )  # fmt: skip
        if said is None or said.moot:
            return False
        held = await verbs.look(Databases.fence_holds, FenceOf(cluster=self.name, node=node))
        return held is not None

    # ---- promote ----

    async def promote(self, found: Found) -> bool:
        """M4, M5 and M6. What people agree to is the position that is announced; after the fence it is looked at once more."""
        verbs, old = self._verbs, found.primary
        first = self._cluster.choose(found, old)
        if not await self.fence(old, first.in_words()):
            verbs.hand_over(f"the fence of {old} cannot be verified: {self.name} stays read-only, and nothing is promoted")
        while True:
            now = await self._cluster.look()
            if now.seen.writers and now.seen.writers != (old,):
                verbs.note(
                    f"the platform has promoted {now.seen.writers[0]} between our fence and our promotion: nothing more is promoted",
                    "finding",
                )
                return await self.adopt(now, old)
            choice = self._cluster.choose(now, old, self._tried)
            if choice.node is None:
                verbs.note("; ".join(choice.passed_over) or "there is no other node", "no help")
                return False
            if await self._promoted(choice, old, now):
                return True

    async def _promoted(self, choice: Choice, old: str, now: Found) -> bool:
        verbs, node = self._verbs, choice.node
        assert node is not None  # noqa: S101 - narrows the type
        self._announce(choice.loss)
        if not choice.loss.known:
            verbs.hand_over(f"nobody knows what promoting {node.id} would lose: automation does not promote with an unknown loss")
        after = None if choice.loss.none else choice.loss.after
        order = Promote(
            cluster=self.name, store=self._cluster.store, node=node.id, old=old, at_least=node.lsn, losing_after=after, loses=str(choice.loss)
        )  # fmt: skip
        pointings = (self._pointing(now, node.id, old), self._alone(node.id))  # which one, is seen afterwards
        terms = ApprovalTerms(facts=choice.in_words(), also=tuple(one.digest(action_of(Endpoints.change).name) for one in pointings))
        decision = await verbs.approve_all(Promotions.run, [order], terms)
        if decision.grant is None:
            verbs.hand_over(f"{node.id} is not promoted: {'nobody answered' if decision.unanswered else f'declined by {decision.by}'}")
        done = await verbs.propose(Promotions.run, order, under=decision.grant)
        if not done:
            self._tried |= {node.id}
            return False
        self.writer = node.id
        await self._repoint(await self._followed(pointings[0], old), decision.grant)
        return True

    def _announce(self, loss: Loss) -> None:
        """What may be lost is said before it is decided; the public is told by people."""
        verbs, self.loss = self._verbs, loss
        self.diverged |= not loss.none
        verbs.classify(Facts(db_failover=True, data_loss=_lost(loss)))
        verbs.say(f"promoting: {loss}")
        if not loss.none:
            verbs.task(
                f"Say publicly what was lost, once DB and the commander agree, and Legal where it is personal data: {loss}", Role.COMMS_LEAD
            )

    # ---- after it ----

    def _pointing(self, found: Found, writer: str, old: str) -> Change[EndpointOf, Endpoint]:
        """Writes to the writer, reads from whoever follows, and from the writer itself where nobody does."""
        seen = found.seen
        follow = [one.id for one in fit(seen, self._numbers) if one.id not in (writer, old)]
        wanted = Endpoint(writes_to=writer, reads_from=tuple(follow) or (writer,))
        return Endpoints.order(EndpointOf(cluster=self.name, store=self._cluster.store), wanted)

    def _alone(self, writer: str) -> Change[EndpointOf, Endpoint]:
        """Reads go where writes go."""
        return Endpoints.order(EndpointOf(cluster=self.name, store=self._cluster.store), Endpoint(writes_to=writer, reads_from=(writer,)))

    async def _followed(self, pointing: Change[EndpointOf, Endpoint], old: str) -> Change[EndpointOf, Endpoint]:
        """Nobody reads from a standby that does not follow the new primary."""
        seen = await self._verbs.read(Databases.survey, ClusterOf(cluster=self.name))
        follow = {one.id for one in fit(seen, self._numbers) if one.streaming and one.id != old}
        return pointing if set(pointing.wanted.reads_from) <= follow else self._alone(self.writer)

    async def _repoint(self, pointing: Change[EndpointOf, Endpoint], grant: Grant | None = None) -> None:
        """M7: the pooler sends writes to the one writer, and ends what leads elsewhere."""
        verbs = self._verbs
        now = await verbs.read(Endpoints.read, pointing.look())
        if not await verbs.propose(Endpoints.change, pointing.given(now), under=grant):
            verbs.task(f"Send the clients of {self.name} to {self.writer} by hand", Role.DB_LEAD, pointing.by_hand())

    async def point_to(self, found: Found, writer: str) -> None:
        """Where people have said which one goes on."""
        await self._repoint(await self._followed(self._pointing(found, writer, ""), ""))

    async def tell_what_is_lost(self) -> None:
        """What may be lost, or differs, may be personal data: that is §2.4's to follow up (spec §11)."""
        if self.diverged:
            why = f"writes of {self.name} may be lost or differ: {self.loss or 'two nodes have taken writes'}"
            await self._verbs.call_in("data_breach", why, {"signal": "loss"})

    async def adopt(self, found: Found, old: str) -> bool:
        """The platform has failed over: its state is taken as it is and verified by us; the old primary is fenced, and nothing is flipped back."""
        verbs, seen = self._verbs, found.seen
        self.writer = seen.writers[0]
        loss = Loss(None, None, verbs.clock()) if seen.primary_lsn is None else self._cluster.choose(found, old).loss
        self.loss, self.diverged = loss, True
        verbs.note(f"{self.writer} takes writes by the platform's own doing: adopted, and verified by us", "finding")
        if not verbs.in_force(FENCED) and not await self.fence(
            old, (f"{self.writer} is the primary now; {old} must not come back as one",)
        ):
            verbs.task(f"See that {old} cannot come back as a primary", Role.DB_LEAD)
        await self._repoint(await self._followed(self._pointing(found, self.writer, old), old))
        return True

    async def one_writer(self) -> None:
        """Nothing is opened before exactly one node takes writes."""
        await self._verbs.do(Databases.one_writer, OneWriterOf(cluster=self.name, writer=self.writer))

    async def reopen(self) -> None:
        """M8 and M9: warm it, keep heavy readers away, and let writes come back in steps."""
        verbs = self._verbs
        heavy = (verbs.impose(SWITCHED_OFF, switch_off(flag, f"{self.writer} is cold", verbs.policy)) for flag in HEAVY)
        warm = Warm(cluster=self.name, store=self._cluster.store, node=self.writer)
        await verbs.together(verbs.propose(Warmings.run, warm), *heavy)
        measures = [*verbs.in_force(NO_WRITERS), *verbs.in_force(READ_ONLY)]
        if not measures:
            return
        steps = ", ".join(f"{share:.0%}" for share in self._numbers.write_steps)
        decision = await verbs.confirm(
            lift_question(
                f"Let {verbs.service} write again, in steps of {steps}?", measures, BOTH, shares=verbs.policy.return_steps,
                facts=(f"{self.writer} is the one writer", str(self.loss) if self.loss is not None else ""),
            )
        )  # fmt: skip
        if not decision.granted:
            for imposed in measures:
                verbs.keep(imposed, decision.by)
            return
        for imposed in measures:
            await verbs.lift(imposed, decision.grant)

    async def write_what_waited(self) -> None:
        """M10: queued writes in their order, each once by its key; what contradicts the data is for people."""
        verbs = self._verbs
        seen = await verbs.read(Databases.survey, ClusterOf(cluster=self.name))
        if not seen.queued_writes:
            return
        done = await verbs.propose(
            WriteReplays.run, Replay(cluster=self.name, store=self._cluster.store), facts=(f"{seen.queued_writes} writes are queued",)
        )
        conflicts = int(str(done.effect.after.get("conflicts", 0))) if done.effect is not None else 0
        if not done:
            verbs.task(f"Write the queued writes of {self.name} by hand, or drop them with their owners", Role.DB_LEAD)
        elif conflicts:
            self.diverged = True
            verbs.task(f"Decide on {conflicts} queued writes that contradict the data: each is in the ledger of the replay", Role.DB_LEAD)

    def measured(self) -> None:
        """What was aimed at, and what became of it: how much of the past is lost, and how long nothing was written."""
        verbs, numbers = self._verbs, self._numbers
        took, lost = (verbs.clock() - verbs.declared_at) * verbs.policy.pace, self.loss.lasting if self.loss is not None else None
        minutes, objective = took.total_seconds() / 60, numbers.rto.total_seconds() / 60
        said = f"writes are taken again {minutes:.0f} min after it was declared (objective {objective:.0f} min)"
        window = "an unknown part" if lost is None else f"{lost.total_seconds() * verbs.policy.pace:.0f} s"
        missed = took > numbers.rto or lost is None or lost * verbs.policy.pace > numbers.rpo
        verbs.note(
            f"{said}; {window} of the past may be lost (objective {numbers.rpo.total_seconds() / 60:.0f} min)",
            "objective missed" if missed else "objectives met",
        )


def _lost(loss: Loss) -> DataLoss:
    """What is missing as far as was seen is lost; otherwise it may be."""
    if loss.none:
        return DataLoss.NONE
    return DataLoss.CONFIRMED if loss.bytes else DataLoss.POSSIBLE
