"""One protection that is removed."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GONE = "no longer applies"  # its text does not stand exactly once in its file


@dataclass(frozen=True)
class Mutant:
    """`name` says what is missing then; `old` stands exactly once in `file`; of `tests`, as pytest names them, one must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applies(self, tree: Path = ROOT) -> bool:
        file = tree / self.file
        return file.is_file() and file.read_text().count(self.old) == 1

    def mutated(self, tree: Path = ROOT) -> str:
        """The text of its file without the protection."""
        return (tree / self.file).read_text().replace(self.old, self.new)
