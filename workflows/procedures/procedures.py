"""Universal procedures (seed §1.2 to §1.5), one at a time inside an open incident: the same invoker, questions, undo and timeline as a playbook.

A person has them run by `incident do`: the named ones, and any setting, which is called by the wire name of the verb that changes it. Its
fields are those of its resource and of its value: `flags.switch_off flag=tools.high_psu on=false`; what is not given of the value stays
as it is in force. What automation must never do is offered as a task for a person with the seed's own command: export first, a census
before and after, attested by name (spec §2.8).
"""

import asyncio
import inspect
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from activities.action import I, Measure, Role, Value
from activities.budgets.limits import CLAMPED
from activities.capacity.autoscaler import SCALED, AutoscalerOf, Autoscalers
from activities.edge.gateway import LIMITED, limit
from activities.edge.regions import DRAINED, Regions, RegionsOf, drain
from activities.everything import measures
from activities.flags.flags import SWITCHED_OFF, switch_off
from activities.kit.setting import Change, Reading
from activities.kit.words.shell import command
from activities.organisation.catalogue import Deployed
from activities.organisation.organisation import meant
from activities.organisation.policy import Policy
from activities.queues.control import broker_of
from activities.write_gate.write_gate import READ_ONLY, read_only
from workflows.engine.lifecycle.calling import SEED
from workflows.engine.verbs import Verbs
from workflows.errors import HandOver, NotAccepted, RetriesExhausted
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.people.background import begun, stopped
from workflows.people.messages import Message
from workflows.people.questions import PROPOSER
from workflows.procedures.invalidation import entries_of, invalidate
from workflows.procedures.parking import count_jobs, park_queue, queue_of
from workflows.procedures.rollback import Rollback
from workflows.procedures.seed_words import seed_changes

NAMED = (
    "set", "roll-back", "return-to-latest", "freeze", "flag", "read-only", "limit", "scale", "drain", "invalidate", "park-queue", "call-in", "undo",
)  # fmt: skip


class ByHandOnly(Value):
    """What no automation of ours does (C4): the seed's command, and what must be known before and after."""

    title: str
    owner: Role
    export: str
    census: str
    command: str
    better: str  # what to do instead, where that is enough
    of_jobs: bool = False  # all jobs are counted by us as well, before and after


BY_HAND_ONLY = {
    "flush-cache": ByHandOnly(
        title="Flush a whole cache database", owner=Role.OPS_LEAD, export="redis-cli --rdb before-flush.rdb",
        census="redis-cli DBSIZE", command="redis-cli FLUSHDB",
        better="delete targeted keys: redis-cli --scan --pattern 'cag:*:model:*' | xargs -r -n 500 redis-cli UNLINK",
    ),
    "purge-queue": ByHandOnly(
        title="Purge pending tasks", owner=Role.OPS_LEAD, export="redis-cli LRANGE QUEUE 0 -1 > before-purge.txt",
        census="redis-cli LLEN QUEUE", command="celery -A workers purge -Q QUEUE",
        better="park one queue, which can be undone: incident do INCIDENT park-queue QUEUE", of_jobs=True,
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


class SettingRequest:
    """A change of one setting that a person asks for. Raises `NotAccepted` where a field is wrong, missing or unknown."""

    def __init__(self, name: str, fields: Mapping[str, str], service: str, policy: Policy) -> None:
        self._name = name
        self.measure, self.setting = measures()[name]
        order = inspect.get_annotations(inspect.unwrap(self.measure.impose))["order"].model_fields
        of, self._value = order["of"].annotation, order["wanted"].annotation
        own = {name: one for name, one in self._value.model_fields.items() if name not in self._value.volatile}  # the rest are facts
        given, known = {key: _read(text) for key, text in fields.items()}, {**of.model_fields, **own}
        for key in given:
            if key not in known:
                raise NotAccepted(f"{name} has no field {key}{meant(key, known)}; it has {', '.join(known)}")
        usual = {"service": service, "store": policy.systems.get(name.partition(".")[0]), "broker": broker_of(policy.systems)}
        self.of = self._valid(of, {key: value for key, value in {**usual, **given}.items() if key in of.model_fields and value})
        self._given = {key: value for key, value in given.items() if key in own}
        if not self._given:
            raise NotAccepted(f"say what {self.of} is set to: {' '.join(f'{key}=…' for key in self._value.model_fields)}")

    def order(self, now: Reading[Any], why: str) -> Change[Any, Any]:
        """The order. `now`: what is in force."""
        return self.setting.order(self.of, self._valid(self._value, {**now.value.model_dump(), **self._given}), why=why)

    def _valid(self, model: type[BaseModel], said: dict[str, Any]) -> Any:
        try:
            return model.model_validate(said)
        except ValidationError as wrong:
            first = wrong.errors()[0]
            raise NotAccepted(f"{self._name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _step(asked: Message) -> int | None:
    given = asked.fields.get("step", "")
    return int(given) if given.isdecimal() and len(given) < 10 else None


def _read(text: str) -> Any:
    """A number, true, false or JSON as what it is; anything else as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


class Procedures:
    def __init__(self, verbs: Verbs, freezes: ServiceFreezes) -> None:
        self._verbs, self._freezes = verbs, freezes
        self._running: list[asyncio.Task[None]] = []
        self._rollbacks: dict[str, Rollback] = {}

    def begin(self, asked: Message) -> str:
        """Start one. Raises `NotAccepted` when there is no such procedure, or something is missing."""
        if asked.procedure not in (known := (*NAMED, *BY_HAND_ONLY, *measures())):
            raise NotAccepted(f"there is no procedure {asked.procedure!r}; there are {', '.join(known)}")
        if asked.procedure == "set" and not seed_changes(asked.fields, self._verbs.policy):
            raise NotAccepted("say what is set, in the seed's words: orchestrator.autonomy=off, tenant/NAME/psu_daily_cap=100")
        if asked.procedure == "flag" and not asked.flag:
            raise NotAccepted("say which flag: --flag tools.high_psu")
        if asked.procedure == "drain" and not asked.region:
            raise NotAccepted("say which region: --region eu-west")
        if asked.procedure == "call-in" and (named := asked.fields.get("playbook", "")) not in SEED:
            raise NotAccepted(f"there is no playbook {named!r}{meant(named, SEED)}: say playbook=NAME, one of {', '.join(SEED)}")
        if asked.procedure == "invalidate":
            entries_of(asked.fields)
        if asked.procedure == "park-queue":
            queue_of(asked.fields)
        if asked.procedure == "limit" and (asked.rps is None or asked.rps <= 0):
            raise NotAccepted("say how many requests a second are let in: --rps 10")
        if asked.procedure == "undo":
            self._verbs.can_undo(_step(asked))
        wanted = asked.model_copy(update={"service": asked.service or self._verbs.service})
        seed = ", ".join(f"{word}={value}" for word, value in asked.fields.items()) if asked.procedure == "set" else ""
        what = (
            str(self._setting(wanted).of)
            if asked.procedure in measures()
            else seed
            or (str(entries_of(asked.fields)) if asked.procedure == "invalidate" else "")
            or asked.flag
            or asked.fields.get("step")
            or asked.fields.get("queue")
            or wanted.service
        )
        why = f": {asked.reason}" if asked.reason else ""
        self._verbs.note(f"{asked.procedure} {what}{why}", "procedure", by=asked.by)
        self._running.append(begun(self._run(wanted)))
        return f"{asked.procedure} has begun; it asks whatever it needs: {command('incident', 'watch', self._verbs.incident_id)}"

    async def stop(self) -> None:
        await stopped(*self._running)

    def rollback_of(self, service: Deployed) -> Rollback:
        """The rollback of that service: one for the whole incident, so that what was left and what did not help is remembered."""
        return self._rollbacks.setdefault(service.name, Rollback(self._verbs, self._freezes, service))

    async def _run(self, asked: Message) -> None:
        PROPOSER.set(asked.by)
        try:
            await self._carry_out(asked)
        except HandOver as by_hand:
            self._verbs.note(f"{asked.procedure}: {by_hand}", "by hand")
        except RetriesExhausted as out:
            self._verbs.note(f"{asked.procedure}: {out.why}", "not done")
        except NotAccepted as wrong:
            self._verbs.note(str(wrong), "not done")

    async def _carry_out(self, asked: Message) -> None:
        verbs, name, why = self._verbs, asked.service, asked.reason or f"asked for by {asked.by}"
        match asked.procedure:
            case "roll-back":
                because = f"asked for by {asked.by}" + (f": {asked.reason}" if asked.reason else "")
                await self.rollback_of(await verbs.deployed(name)).to_last_green((because,))
            case "return-to-latest":
                await self.rollback_of(await verbs.deployed(name)).return_to_latest(asked=True)
            case "set":
                for change in seed_changes(asked.fields, verbs.policy):
                    measure: Measure[Any] = SWITCHED_OFF if change.flag else CLAMPED
                    await self._impose(measure, change.order(await verbs.do(*change.look), why), asked)
            case "freeze":
                await self._freezes.freeze(await verbs.deployed(name))
            case "flag":
                await self._impose(SWITCHED_OFF, switch_off(asked.flag, why, verbs.policy), asked)
            case "read-only":
                service = await verbs.deployed(name)
                await self._impose(READ_ONLY, read_only(service.name, service.regions, asked.reason), asked)
            case "limit":
                await self._impose(LIMITED, limit(name, asked.rps), asked)
            case "scale":
                capacity = await verbs.do(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=name)))
                await self._impose(SCALED, capacity.scaled(verbs.policy.production_outage.scale_by), asked)
            case "drain":
                weights = await verbs.do(Regions.read, Regions.look(RegionsOf(service=name)))
                try:
                    order = drain(name, asked.region, weights)
                except ValueError as nobody:
                    raise HandOver(str(nobody)) from None
                await self._impose(DRAINED, order, asked)
            case "invalidate":
                await invalidate(verbs, entries_of(asked.fields), why, asked.by)
            case "park-queue":
                await park_queue(verbs, queue_of(asked.fields), why, asked.by)
            case "call-in":
                labels = {key: str(value) for key, value in asked.fields.items() if key != "playbook"}
                await verbs.call_in(asked.fields["playbook"], why, labels)
            case "undo":
                await verbs.undo(_step(asked), asked.by, asked.reason)
            case by_hand if by_hand in BY_HAND_ONLY:
                await self._attested(BY_HAND_ONLY[by_hand])
            case _:
                request = self._setting(asked)
                now = await verbs.do(request.setting.read, request.setting.look(request.of))
                await self._impose(request.measure, request.order(now, why), asked)

    async def _impose(self, measure: Measure[I], order: I, asked: Message) -> None:
        """A narrow change needs no other word than that of whoever may have it made; a broader one is asked."""
        await self._verbs.impose(measure, order, under=self._verbs.ordered(measure.impose, order, asked.by))

    def _setting(self, asked: Message) -> SettingRequest:
        return SettingRequest(asked.procedure, asked.fields, asked.service, self._verbs.policy)

    async def _attested(self, task: ByHandOnly) -> None:
        """A task for a person, and their word with the numbers; what is missing is asked for again."""
        verbs = self._verbs
        if task.of_jobs:
            await count_jobs(verbs, "before")
        given = verbs.task(
            f"{task.title}: automation never does this. Better: {task.better}. Otherwise export, count, do it, count again",
            task.owner,
            (task.export, task.census, task.command, task.census),
        )
        while True:
            told = await verbs.ask(
                f"{task.title}: done? Say what was exported, and the census before and after",
                roles=(task.owner, Role.INCIDENT_COMMANDER),
                example='{"exported": "gs://evidence/before.rdb", "before": 120000, "after": 0}, or "not done"',
            )
            answer = told.value if told is not None else "not done"  # None: somebody declines to say
            counted = ""
            if isinstance(answer, dict) and all(answer.get(key) not in (None, "") for key in ("exported", "before", "after")):
                counted = f"exported to {answer['exported']}, {answer['before']} before, {answer['after']} after"
            if counted or answer == "not done":
                verbs.note(f"{task.title}: {counted or 'not done'}", "attested")
                if counted:
                    verbs.attested(given, counted)
                if counted and task.of_jobs:
                    await count_jobs(verbs, "after")
                return
            verbs.note(f"{task.title}: the answer lacks exported, before or after; asked again")
