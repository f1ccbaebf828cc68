"""Universal procedures (seed §1.2 to §1.5), one at a time inside an open incident: the same invoker, questions, undo and timeline as a playbook.

What automation must never do is offered as a task for a person with the seed's own command: export first, a census before and
after, attested by name (spec §2.8).
"""

import asyncio
from collections.abc import Awaitable, Callable

from activities.action import Role, Value
from activities.capacity.autoscaler import SCALED, AutoscalerOf, Autoscalers
from activities.edge.gateway import LIMITED, limit
from activities.edge.regions import DRAINED, Regions, RegionsOf, drain
from activities.everything import measures
from activities.flags.flags import SWITCHED_OFF, switch_off
from activities.kit.words.shell import command
from activities.organisation.catalogue import Deployed
from activities.write_gate.write_gate import READ_ONLY, WriteGateOf, WriteGates, read_only
from workflows.engine.verbs import Verbs
from workflows.errors import HandOver, NotAccepted, RetriesExhausted
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.people.messages import Message
from workflows.procedures.by_setting import SettingRequest
from workflows.procedures.rollback import Rollback


class ProcedureRequest(Value):
    """One procedure that a person wants run."""

    procedure: str
    service: str = ""
    flag: str = ""
    region: str = ""
    rps: float | None = None
    fields: dict[str, str] = {}  # of a setting, by name
    by: str = ""
    reason: str = ""

    @classmethod
    def of(cls, message: Message, by: str) -> "ProcedureRequest":
        return cls(
            procedure=message.procedure, service=message.service, flag=message.flag, region=message.region, rps=message.rps, by=by,
            fields=message.fields,
            reason=message.reason,
        )  # fmt: skip


class ByHandOnly(Value):
    """What no automation of ours does (C4): the seed's command, and what must be known before and after."""

    title: str
    owner: Role
    export: str
    census: str
    command: str
    better: str  # what to do instead, where that is enough


BY_HAND_ONLY = {
    "flush-cache": ByHandOnly(
        title="Flush a whole cache database", owner=Role.OPS_LEAD, export="redis-cli --rdb before-flush.rdb",
        census="redis-cli DBSIZE", command="redis-cli FLUSHDB",
        better="delete targeted keys: redis-cli --scan --pattern 'cag:*:model:*' | xargs -r -n 500 redis-cli UNLINK",
    ),
    "purge-queue": ByHandOnly(
        title="Purge pending tasks", owner=Role.OPS_LEAD, export="celery -A workers inspect reserved --json > before-purge.json",
        census="celery -A workers inspect stats --json", command="celery -A workers purge",
        better="pause the consumers and move the tasks to a quarantine queue, then decide",
    ),
    "clamp-all": ByHandOnly(
        title="Clamp every tenant's budget to zero", owner=Role.FINANCE, export="policy get 'tenant/*' > before-clamp.json",
        census="policy get 'tenant/*/psu_daily_cap' | sort | uniq -c", command="policy set tenant/*/psu_daily_cap=0",
        better="clamp the agent or the tenant that runs away: policy set tenant/NAME/psu_daily_cap=0",
    ),
    "revoke-all-sessions": ByHandOnly(
        title="Force logout of all sessions", owner=Role.SECURITY_LEAD, export="GET /api/v1/auth/sessions > before-revoke.json",
        census="GET /api/v1/auth/sessions/count", command="POST /api/v1/auth/sessions/revoke_all",
        better="revoke by tenant or by time of issue, in stages",
    ),
    "rotate-secret": ByHandOnly(
        title="Rotate a secret", owner=Role.SECURITY_LEAD, export="gcloud secrets versions list OPENAI_API_KEY > before-rotation.txt",
        census="gcloud secrets versions list OPENAI_API_KEY --filter=state=enabled",
        command="gcloud secrets versions add OPENAI_API_KEY --data-file ./new-key.txt && gcloud run services update orchestrator "
        "--update-secrets OPENAI_API_KEY=OPENAI_API_KEY:NUMBER",
        better="pin the new version by its number, never :latest, and revoke the old key at its issuer",
    ),
}  # fmt: skip


class Procedures:
    """Starts a procedure when a person says so, and lets it run beside the playbook."""

    def __init__(self, verbs: Verbs, freezes: ServiceFreezes) -> None:
        self._verbs = verbs
        self._freezes = freezes
        self._running: list[asyncio.Task[None]] = []
        self._rollbacks: dict[str, Rollback] = {}
        self.known: dict[str, Callable[[ProcedureRequest], Awaitable[None]]] = {
            "roll-back": self._roll_back, "return-to-latest": self._return_to_latest, "freeze": self._freeze, "flag": self._flag,
            "read-only": self._read_only, "limit": self._limit, "scale": self._scale, "drain": self._drain,
        }  # fmt: skip

    def begin(self, asked: ProcedureRequest) -> str:
        """Start one. Raises `NotAccepted` when there is no such procedure, or something is missing."""
        if asked.procedure not in (known := (*self.known, *BY_HAND_ONLY, *measures())):
            raise NotAccepted(f"there is no procedure {asked.procedure!r}; there are {', '.join(known)}")
        if asked.procedure == "flag" and not asked.flag:
            raise NotAccepted("say which flag: --flag tools.high_psu")
        if asked.procedure == "drain" and not asked.region:
            raise NotAccepted("say which region: --region eu-west")
        if asked.procedure == "limit" and (asked.rps is None or asked.rps <= 0):
            raise NotAccepted("say how many requests a second are let in: --rps 10")
        wanted = asked.model_copy(update={"service": asked.service or self._verbs.state.incident.service})
        what = str(self._request(wanted).of) if asked.procedure in measures() else asked.flag or wanted.service
        why = f": {asked.reason}" if asked.reason else ""
        self._verbs.state.note("procedure", f"{asked.procedure} {what}{why}", by=asked.by)
        self._running.append(asyncio.create_task(self._run(wanted)))
        return f"{asked.procedure} has begun; it asks whatever it needs: {command('incident', 'watch', self._verbs.state.id)}"

    async def stop(self) -> None:
        """Give up what is under way, and wait for its end."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, asked: ProcedureRequest) -> None:
        try:
            if asked.procedure in BY_HAND_ONLY:
                await self._attested(BY_HAND_ONLY[asked.procedure])
            elif asked.procedure in measures():
                await self._change(self._request(asked), asked.reason or f"asked for by {asked.by}")
            else:
                await self.known[asked.procedure](asked)
        except HandOver as by_hand:
            self._verbs.state.note("by hand", f"{asked.procedure}: {by_hand}")
        except RetriesExhausted as out:
            self._verbs.state.note("not done", f"{asked.procedure}: {out.why}")
        except NotAccepted as wrong:
            self._verbs.state.note("not done", str(wrong))

    def _request(self, asked: ProcedureRequest) -> SettingRequest:
        return SettingRequest(asked.procedure, asked.fields, asked.service, self._verbs.policy)

    async def _change(self, request: SettingRequest, why: str) -> None:
        """Change a setting. What is not asked for stays as it is in force."""
        now = await self._verbs.do(request.setting.read, request.setting.look(request.of))
        await self._verbs.impose(request.measure, request.order(now, why))

    async def _rollback(self, asked: ProcedureRequest) -> Rollback:
        service = await self._verbs.deployed(asked.service)
        gate = await self._verbs.do(WriteGates.read, WriteGates.look(WriteGateOf(service=service.name)))
        rollback = self.rollback_of(service)
        rollback.knows(gate.schema_version)
        return rollback

    def rollback_of(self, service: Deployed) -> Rollback:
        """The rollback of that service: one for the whole incident, so that what was left and what did not help is remembered."""
        return self._rollbacks.setdefault(service.name, Rollback(self._verbs, self._freezes, service))

    async def _roll_back(self, asked: ProcedureRequest) -> None:
        await (await self._rollback(asked)).to_last_green((f"asked for by {asked.by}" + (f": {asked.reason}" if asked.reason else ""),))

    async def _return_to_latest(self, asked: ProcedureRequest) -> None:
        await (await self._rollback(asked)).return_to_latest(asked=True)

    async def _freeze(self, asked: ProcedureRequest) -> None:
        await self._freezes.freeze(await self._verbs.deployed(asked.service))

    async def _flag(self, asked: ProcedureRequest) -> None:
        await self._verbs.impose(SWITCHED_OFF, switch_off(asked.flag, asked.reason or f"asked for by {asked.by}", self._verbs.policy))

    async def _read_only(self, asked: ProcedureRequest) -> None:
        service = await self._verbs.deployed(asked.service)
        await self._verbs.impose(READ_ONLY, read_only(service.name, service.regions, asked.reason))

    async def _limit(self, asked: ProcedureRequest) -> None:
        await self._verbs.impose(LIMITED, limit(asked.service, asked.rps))

    async def _scale(self, asked: ProcedureRequest) -> None:
        capacity = await self._verbs.do(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=asked.service)))
        await self._verbs.impose(SCALED, capacity.scaled(self._verbs.policy.production_outage.scale_by))

    async def _drain(self, asked: ProcedureRequest) -> None:
        weights = await self._verbs.do(Regions.read, Regions.look(RegionsOf(service=asked.service)))
        try:
            order = drain(asked.service, asked.region, weights)
        except ValueError as nobody:
            raise HandOver(str(nobody)) from None
        await self._verbs.impose(DRAINED, order)

    async def _attested(self, task: ByHandOnly) -> None:
        """A task for a person, and their word with the numbers; what is missing is asked for again."""
        verbs = self._verbs
        verbs.task(
            f"{task.title}: automation never does this. Better: {task.better}. Otherwise export, count, do it, count again",
            task.owner,
            (task.export, task.census, task.command, task.census),
        )
        while True:
            answer = await verbs.ask(
                f"{task.title}: done? Say what was exported, and the census before and after",
                roles=(task.owner, Role.INCIDENT_COMMANDER),
                example='{"exported": "gs://evidence/before.rdb", "before": 120000, "after": 0}, or "not done"',
            )
            if answer == "not done":
                verbs.note(f"{task.title}: not done", "attested")
                return
            if isinstance(answer, dict) and all(answer.get(key) not in (None, "") for key in ("exported", "before", "after")):
                counted = f"exported to {answer['exported']}, {answer['before']} before, {answer['after']} after"
                verbs.note(f"{task.title}: {counted}", "attested")
                return
            verbs.note(f"{task.title}: the answer lacks exported, before or after; asked again")
