"""`/practice/mail`: what arrived by mail, and how the mail server misbehaves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply
from practice.stores.mail import Mailbox, MailFault


class SetMailFault(Ask):
    """`later`: 451; `refuse`: 550; `drop`, `hang`: no reply, nothing taken; `taken_then_drop`: taken, and no reply; `lose`: 250, and lost."""

    at: Literal["rcpt", "data"] = "data"
    mode: Literal["refuse", "later", "drop", "hang", "taken_then_drop", "lose"]
    times: int | None = Field(None, ge=1)
    to: str = ""


@FACE.reads("mail", "/practice/mail")
def mail(call: Call) -> Reply:
    """Every message that was taken, oldest first; `?to=` narrows it."""
    wanted = call.one("to")
    return Reply({"mail": [one for one in call.state.part(Mailbox).letters if wanted in ("", one["to"])]})


@FACE.writes("mail_faults.set", "/practice/mail-faults")
def set_mail_fault(call: Call) -> Reply:
    fault = MailFault(**call.ask(SetMailFault).model_dump())
    call.state.part(Mailbox).faults.append(fault)
    call.did("mail-faults", None, fault.mode)
    return Reply({"mail_faults": len(call.state.part(Mailbox).faults)})


@FACE.writes("mail_faults.clear", "/practice/mail-faults", "DELETE")
def clear_mail_faults(call: Call) -> Reply:
    box = call.state.part(Mailbox)
    before, box.faults = len(box.faults), []
    call.did("mail-faults", before, 0)
    return Reply({"mail_faults": 0})
