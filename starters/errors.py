"""What goes wrong, in words for a person: one sentence and, where there is one, the command that fixes it."""


class CliError(Exception):
    """Something stands in the way; `fix` is the command that helps. `unreachable`: it may work again later, unchanged."""

    def __init__(self, sentence: str, fix: str = "", *, unreachable: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.fix = fix
        self.unreachable = unreachable


class Refusal(CliError):
    """The incident heard us and said no, and why."""
