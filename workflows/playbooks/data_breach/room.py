"""Who may know: a private room under a code name, nobody in it who is in the breach; and Legal, who decides which clocks apply (A.4 M1, M3)."""

from datetime import timedelta

from activities.action import Role
from activities.chat.orders import MembersOf, kick_by_hand
from activities.chat.war_room import WarRoom
from activities.kit.words.shell import command
from activities.organisation.organisation import ReadAll
from activities.organisation.rota import Rota
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft, Silence
from workflows.playbooks.data_breach.eviction import Eviction
from workflows.playbooks.data_breach.scoping import Breach

OPENED_WITHIN = timedelta(minutes=5)  # A.4 M1
LOOKED = timedelta(seconds=15)
NOT_BY_US = (
    "Pay nobody, answer nobody who claims to have the data, touch nothing of the attacker's, and delete nothing to clean up: Legal and the "
    "executives alone decide about contact, and the police"
)


class Room:
    def __init__(self, verbs: Verbs, breach: Breach, eviction: Eviction) -> None:
        self._verbs, self._breach, self._eviction = verbs, breach, eviction
        self._said: set[str] = set()

    def begin(self) -> None:
        """Beside the rest: nobody's answer holds up what is contained."""
        if "begun" in self._said:
            return
        self._said.add("begun")
        self.suspected_chat()
        self._verbs.branch("the private room", self.private())
        self._verbs.branch("Legal", self.legal())

    async def private(self) -> None:
        """Everybody in the room is on the roster, and is nobody whose identity reads the data. Who is not, leaves it by Security's hand."""
        verbs = self._verbs
        if verbs.rehearsing or verbs.shadow:
            return
        until = verbs.clock() + verbs.policy.paced(OPENED_WITHIN)
        while not verbs.room() and verbs.clock() < until:
            await verbs.rest(LOOKED, "the private room")
        duty = await verbs.look(Rota.now, ReadAll())
        people = tuple(duty.roster.people.values()) if duty is not None else ()
        seen = await verbs.look(WarRoom.members, MembersOf(name=verbs.room(), known=people)) if verbs.room() else None
        if seen is None:
            self._once("Look who is in the private room: only those who need to know, and nobody whose identity has read the data")
            return
        conflicted = tuple(one for one in seen.people if one in self._breach.found.owners)
        verbs.note(f"{seen.summary}; {len(conflicted)} of them have to do with it", "conflict check")
        for one in seen.strangers:
            self._once(f"Take {one} out of the private room: nobody on the roster is called so", kick_by_hand(one))
        for person in (each for each in people if each.id in conflicted):
            self._once(f"Take {person.id} out of the private room: an identity of theirs has read the data", kick_by_hand(person.slack))

    def suspected_chat(self) -> None:
        """Where an alert or a person says that others read our chat."""
        if self._breach.found.chat_suspected:
            self._eviction.out_of_band("our chat may be read by whoever has read the data")

    async def legal(self) -> None:
        """Legal takes the clocks over. Who does not answer within the time is not waited for: outside counsel and an executive are called."""
        verbs, patience = self._verbs, self._verbs.policy.data_breach.legal_patience
        self._once(NOT_BY_US)
        if verbs.rehearsing:
            return
        show = command("incident", "clocks", "show", verbs.incident_id)
        asked = verbs.confirm(
            QuestionDraft(
                asks="Legal: have you taken over the legal clocks of this breach, and do you decide which apply?", roles=(Role.LEGAL,),
                strict=True, silence=Silence.SAFE, facts=(self._breach.found.in_words(),), by_hand=(show,),
                effect="nothing is sent: only people notify, in words that Legal has signed", inverse="decline: outside counsel is called",
            )
        )  # fmt: skip
        decision = await verbs.within(asked, verbs.policy.for_people(patience), "Legal to take the clocks over")
        if decision is not None and decision.granted:
            verbs.note(f"the legal clocks are {decision.by}'s", "legal")
            return
        why = f"Legal has not taken the clocks over within {patience.total_seconds() / 60:.0f} minutes"
        verbs.page((Role.DUTY_EXECUTIVE, Role.LEGAL, Role.INCIDENT_COMMANDER), why)
        self._once(f"Call outside counsel by its rota: {why}. The clocks run, and go on to alarm", (show,), Role.DUTY_EXECUTIVE)

    def _once(self, what: str, by_hand: tuple[str, ...] = (), role: Role = Role.SECURITY_LEAD) -> None:
        if what not in self._said:
            self._said.add(what)
            self._verbs.task(what, role, by_hand)
