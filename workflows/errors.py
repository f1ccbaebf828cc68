"""What stops a step, and what refuses a message. Each carries its reason in one sentence."""

from activities.kit.holding import Contender


class HandOver(Exception):
    """A person continues by hand from here; the message says why."""


class Relapse(Exception):
    """The impact is back in recovery. The recovery block takes it, and the playbook goes another round; the message says what was seen."""


class CalledAgain(Relapse):
    """Another playbook of the incident needs more of this one, and recovery cannot go on as if it did not; the message says why."""


class NotAccepted(Exception):
    """A message or an answer that does not count, and why, in one sentence for the person who sent it."""


class NeedsApproval(Exception):
    """Automation may not do this alone. Nothing was invoked."""


class RetriesExhausted(Exception):
    """All tries were used and the step is not done. `refused`: the system said no. `lapsed`: a lease ran out, and look again and repeat the step.
    `contenders`: other incidents that hold the same and need it otherwise; nothing was written.
    """

    def __init__(self, why: str, *, refused: bool = False, lapsed: bool = False, contenders: tuple[Contender, ...] = ()) -> None:
        super().__init__(why)
        self.why = why.partition("\n")[0]  # a client library's second line is a link to its manual
        self.refused = refused
        self.lapsed = lapsed
        self.contenders = contenders


class ApprovalEnded(RetriesExhausted):
    """The approval was not used in time, and people are asked again. `tried`: an earlier try, in time, may have reached the system."""

    def __init__(self, why: str, *, tried: bool) -> None:
        super().__init__(why, refused=True)
        self.tried = tried


class NotSentInShadow(RetriesExhausted):
    """Shadow mode: nothing was sent, because the system has no write access. It is on the timeline already."""
