"""What is wanted of mail. An order names the exact text and the exact list by their hashes; neither stands in it (INV-14)."""

from datetime import timedelta

from activities.action import Order, Value
from activities.kit.words.shell import Var, command, comment, pipe
from activities.mail.letter import Letter
from activities.organisation.numbers import EvidenceHold, MailNumbers

ADDRESS = Var("SMTP_ADDRESS")
LETTER, LIST = "letter.json", "list.json"


class DraftLetter(Order, target="letter/{name}", effect="keep the exact text of the letter {name}, to be agreed to"):
    """Keep a text of ours, so that people can agree to exactly it. The effect's `after` has its `sha256`."""

    undone = "nothing to undo: nobody was written to"

    incident_id: str
    name: str
    letter: Letter
    held_for: timedelta = EvidenceHold().held_for

    def by_hand(self) -> tuple[str, ...]:
        written = command("printf", "%s", self.letter.content().decode())
        return (pipe(written, command("tee", LETTER), command("sha256sum")),)


class SendLetter(
    Order,
    target="letter/{name}",
    effect="send the letter {name} (text sha256 {text:.16}…) to {count} recipients, each on their own (list sha256 {recipients:.16}…)",
):
    """Write to everybody on a list, once. `text`, `recipients`: the sha256 of what lies in the evidence store; `count`: how many they are."""

    undone = "nobody can take a letter back: write another one that corrects it"

    incident_id: str
    name: str
    text: str
    recipients: str
    count: int
    numbers: MailNumbers = MailNumbers()

    def by_hand(self) -> tuple[str, ...]:
        """The letter and the list, fetched; who sends it looks first who has it already."""
        fetched = ((self.text, LETTER), (self.recipients, LIST))
        fetch = (command("incident", "evidence", self.incident_id, "--fetch", sha, "--output", file) for sha, file in fetched)
        smtp = ("smtp://", ADDRESS)
        return (
            *fetch,
            comment("first leave out whom the mail server has taken the letter for already: look into its log for our Message-ID"),
            comment(f"then to each address of {LIST} on its own, with {LETTER} as letter.eml:"),
            command("curl", smtp, "--ssl-reqd", "--mail-from", Var("SMTP_FROM"), "--mail-rcpt", Var("TO"), "--upload-file", "letter.eml"),
        )


class OutboxOf(Order, target="letter/{name}", effect="read for whom the mail server has taken the letter {name}"):
    incident_id: str
    name: str
    text: str
    recipients: str


class Outcomes(Value):
    """What became of a letter: for how many the server took it, for how many nobody knows, whom it refused, and who was not tried yet."""

    taken: int
    unknown: tuple[str, ...] = ()  # recipients, by their hashes; a person looks into the server's log
    refused: tuple[str, ...] = ()
    not_sent: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        several = (("unknown", self.unknown), ("refused", self.refused), ("not sent", self.not_sent))
        return ", ".join([f"taken for {self.taken}", *(f"{len(those)} {word}" for word, those in several if those)])
