"""Shell commands for a person, built from words: a value is one word and is never run, whatever stands in it.

Where the person's own shell must fill something in (a token, a number that was just read), the word holds a `Var`. Nothing else in a
command is ever expanded.
"""

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any

from activities.kit.words.escape import UNSEEN, line, visible

SAFE = re.compile(r"[A-Za-z0-9 _:./=?&%,@+#-]*")  # as it is, also between double quotes
HIDDEN = re.compile(rf"{UNSEEN.pattern}|[\n\t]")
PLAIN = re.compile(r"[A-Za-z0-9 _:./=?%,@+-]*")  # also where a shell does not know comments
FIELD = "import json,sys; print(json.load(sys.stdin)[sys.argv[1]])"
NEXT = "import json,sys; print(int(json.load(sys.stdin)[sys.argv[1]]) + 1)"


@dataclass(frozen=True)
class Var:
    """A variable of the person's shell: `$PLATFORM_TOKEN`. `number`: it stands in JSON without quotes."""

    name: str
    number: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", self.name):
            raise ValueError(f"{self.name!r} is no name of a variable")


Part = str | Var
Word = Part | tuple[Part, ...]


class Command(str):
    """A line that this module built; only such lines are put together to longer ones."""

    __slots__ = ()


def command(*words: Word) -> Command:
    """One command: every word is one argument."""
    return Command(" ".join(map(_shown, words)))


def comment(text: object) -> Command:
    """A remark in one line. A shell that takes no comments (zsh at a prompt) runs nothing of it either."""
    said = line(text)
    return Command(f"# {said if PLAIN.fullmatch(said) else shlex.quote(said)}")


def pipe(*commands: Command) -> Command:
    return Command(" | ".join(commands))


def both(*commands: Command) -> Command:
    """Each only if the one before succeeded."""
    return Command(" && ".join(commands))


def keep(name: str, made_by: Command) -> Command:
    """Keep the output of a command in a variable: `STATE=$(…)`."""
    return Command(f"{Var(name).name}=$({made_by})")


def field_of(variable: str, name: str, *, plus_one: bool = False) -> Command:
    """Print one field of the JSON that a variable holds; `plus_one`: a whole number, and one more than it is."""
    return pipe(command("printf", "%s", Var(variable)), command("python3", "-c", NEXT if plus_one else FIELD, name))


def curl(method: str, url: Word, *headers: Word, body: object = None) -> Command:
    """A request. In `body` (JSON) a `Var` is a value that the shell fills in. Anything but a GET fails when the answer is an error."""
    words: list[Word] = ["curl", "-sS", *(() if method == "GET" else ("--fail-with-body",)), "-X", method, url]
    for header in headers:
        words += ["-H", _one_line(header)]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", _json(body)]
    return command(*words)


def document(body: object) -> Word:
    """JSON as one word. A `Var` in it is a value that the shell fills in; a number's stands without quotes, and may be JSON itself."""
    return _json(body)


def kubectl(context: str, namespace: str, *words: Word) -> Command:
    return command("kubectl", "--context", context, "-n", namespace, *words)


def gcloud(*words: Word) -> Command:
    """A command of Google Cloud's CLI, which asks nothing."""
    return command("gcloud", "--quiet", *words)


def address(base: Part, path: str = "", query: str = "") -> Word:
    """A URL below a base that the shell may know. `path` and `query`: built by `words.urls`."""
    return (base, path + query)


def _shown(word: Word) -> str:
    parts = [part for part in (word if isinstance(word, tuple) else (word,)) if part != ""] or [""]
    if all(isinstance(part, str) for part in parts):
        return _quoted("".join(map(str, parts)))
    if all(isinstance(part, Var) or SAFE.fullmatch(part) for part in parts):
        return '"' + "".join(_in_quotes(parts, n) for n in range(len(parts))) + '"'
    return "".join(f'"${part.name}"' if isinstance(part, Var) else _quoted(part) for part in parts)


def _quoted(text: str) -> str:
    """One word, on one line, with nothing in it that a terminal would obey (`$'…'` of bash, zsh and POSIX 2024 where that is needed)."""
    if not HIDDEN.search(text):
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return "$'" + HIDDEN.sub(_escaped, escaped) + "'"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "?" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


def _in_quotes(parts: list[Part], n: int) -> str:
    part = parts[n]
    if not isinstance(part, Var):
        return str(part)
    follows = parts[n + 1] if n + 1 < len(parts) else ""
    return "${" + part.name + "}" if isinstance(follows, str) and re.match(r"[A-Za-z0-9_]", follows) else f"${part.name}"


def _one_line(word: Word) -> Word:
    parts = word if isinstance(word, tuple) else (word,)
    return tuple(part if isinstance(part, Var) else visible(part).replace("\n", " ") for part in parts)


def _json(body: object) -> Word:
    """JSON as a word. The marks stand for variables; they are no characters, and are taken out of values."""
    text = UNSEEN.sub(_escaped, json.dumps(_marked(body), ensure_ascii=False))
    parts: list[Part] = []
    for piece in re.split(r'("?\ufdd0[A-Z0-9_]+\ufdd1[sn]"?)', text):
        found = re.fullmatch(r'("?)\ufdd0([A-Z0-9_]+)\ufdd1([sn])("?)', piece)
        if not found:
            parts.append(piece)
        elif found[3] == "n":
            parts.append(Var(found[2]))
        else:
            parts += [found[1], Var(found[2]), found[4]]
    return tuple(parts)


def _marked(value: Any) -> Any:
    if isinstance(value, Var):
        return f"\ufdd0{value.name}\ufdd1{'n' if value.number else 's'}"
    if isinstance(value, dict):
        return {_marked(str(key)): _marked(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(one) for one in value]
    return re.sub("[\ufdd0\ufdd1]", "", value).encode("utf-8", "replace").decode() if isinstance(value, str) else value
