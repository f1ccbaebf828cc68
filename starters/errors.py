"""Errors for a person: one sentence and, if there is one, the command that fixes it."""


class CliError(Exception):
    """Why it was not done; `fix` is the command that helps. `unreachable`: the same may work later."""

    def __init__(self, sentence: str, fix: str = "", *, unreachable: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.fix = fix
        self.unreachable = unreachable


class Refusal(CliError):
    """The incident received the message and refused it, and why."""
