"""What is built of names from outside: commands, addresses, queries and messages. A name is data wherever it goes."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.kit.words import cel, escape, promql, urls
from activities.kit.words.shell import Var, address, both, command, comment, curl, field_of, keep, kubectl, pipe

HOSTILE = (
    "$(touch P)", "'; touch P; '", "`touch P`", "\"; touch P; \"", "../../admin", "..", ".", '"} or up{', "<!channel>", "<@U1>",
    "<https://evil.invalid|approve>", "\x1b[2J", "\u202egnirts", "a\nb", "a\r\nX-Evil: 1", "x" * 10_000, "!history", "-rf", "#no", "", "@everyone",
    "a && touch P", "\\", "%2e%2e", "é…", "\ufdd0PLATFORM_TOKEN\ufdd1s",
)  # fmt: skip
each = pytest.mark.parametrize("said", HOSTILE)


def run(lines: tuple[str, ...], tmp_path: Path) -> list[list[str]]:
    """Run commands with a tool that only says with what it was called. Whatever else was run would leave a file `P`."""
    tool = "import sys,json; print(json.dumps(sys.argv[1:]), file=open('calls','a')); print('{\"etag\": \"e-1\", \"epoch\": 4}')"
    for name in ("curl", "kubectl"):
        (tmp_path / name).write_text(f"#!/usr/bin/env python3\n{tool}\n")
        (tmp_path / name).chmod(0o755)
    env = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "PLATFORM_TOKEN": "s3cret",
        "PLATFORM_URL": "http://plane",
        "USER": "lee",
        "LANG": "C.UTF-8",
    }
    subprocess.run(["bash", "-ec", "\n".join(lines)], cwd=tmp_path, env=env, check=True, capture_output=True)
    assert not (tmp_path / "P").exists(), f"a name was run: {lines}"
    calls = tmp_path / "calls"
    return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []


@each
def test_a_name_is_one_word_of_a_command(said: str, tmp_path: Path) -> None:
    ((*_, word),) = run((kubectl("eu", "prod", "get", said),), tmp_path)
    wanted = said.encode("utf-8", "replace").decode()
    assert word == wanted


@each
def test_a_name_is_one_value_of_a_body_and_one_part_of_an_address(said: str, tmp_path: Path) -> None:
    url = address(Var("PLATFORM_URL"), urls.path("v1", "services", said), urls.query({"q": said}))
    put = curl("PUT", url, ("Authorization: Bearer ", Var("PLATFORM_TOKEN")), f"X-Name: {said}", body={"n": Var("EPOCH", True), said: said})
    lines = (keep("STATE", curl("GET", url)), keep("EPOCH", field_of("STATE", "epoch", plus_one=True)), put)
    _, called = run(lines, tmp_path)
    body = json.loads(called[called.index("-d") + 1])
    clean = said.replace("\ufdd0", "").replace("\ufdd1", "")
    assert body == {"n": 5, clean: clean}
    where = urlsplit(next(word for word in called if word.startswith("http://")))
    assert where.netloc == "plane" and where.path.startswith("/v1/services/") and where.path.count("/") == 3
    assert unquote(where.path.rpartition("/")[2]) == said or not said.strip(".")
    headers = [called[n + 1] for n, word in enumerate(called) if word == "-H"]
    assert headers[0] == "Authorization: Bearer s3cret" and all("\n" not in header for header in headers)


@each
def test_a_command_is_one_line_that_draws_nothing(said: str) -> None:
    for line in (command("kubectl", said), curl("POST", "http://x/", body={"a": said}), comment(said)):
        assert "\n" not in line and "\x1b" not in line and "\u202e" not in line


@each
def test_a_remark_runs_nothing_even_where_a_shell_knows_no_remarks(said: str, tmp_path: Path) -> None:
    run((comment(said),), tmp_path)
    run((f"true {comment(said).removeprefix('# ')}",), tmp_path)


def test_commands_are_put_together() -> None:
    assert pipe(command("a"), command("b", "c d")) == "a | b 'c d'"
    assert both(command("a"), command("b")) == "a && b"
    assert command("echo", ("x", Var("A"), "b")) == 'echo "x${A}b"'
    assert command("echo", ("it's ", Var("A"))) == "echo 'it'\"'\"'s '\"$A\""
    with pytest.raises(ValueError, match="no name of a variable"):
        Var("A; rm")


@each
def test_a_label_of_a_query_is_one_string(said: str) -> None:
    made = promql.total(promql.increase(promql.selector("up", service=said, outcome=promql.Other("ok")), timedelta(minutes=1)), "service")
    tree = promql_parser.parse(made)
    (service,) = (
        [m for m in tree.expr.args[0].vector_selector.matchers.matchers if m.name == "service"] if hasattr(tree, "expr") else [None]
    )
    assert service is None or service.value == said
    assert promql.quantile(0.99, promql.selector("b_bucket", le="1"), timedelta(seconds=30)).startswith(
        "histogram_quantile(0.99, sum by (le)"
    )


def test_a_name_of_a_metric_is_ours() -> None:
    with pytest.raises(ValueError, match="no name"):
        promql.selector("up}{")


@given(st.text(max_size=60))
def test_text_from_outside_does_nothing_in_any_channel(said: str) -> None:
    assert not {"<", ">"} & set(escape.slack(said))
    assert "\x1b" not in escape.terminal(said) and "\n" not in escape.terminal(said)


def test_marks_mentions_and_links_are_text() -> None:
    assert escape.slack("<!channel> & <https://e.invalid|approve>") == "&lt;!channel&gt; &amp; &lt;https://e.invalid|approve&gt;"
    assert escape.markdown("[a](b) *c* <img>") == r"\[a\]\(b\) \*c\* \<img\>"
    assert "@everyone" not in escape.markdown("@everyone") and "https://" not in escape.markdown("https://e.invalid")
    assert escape.line("a\tb\n\x1b[31mc", 4) == "a b…"


@pytest.mark.parametrize(
    ("text", "said"),
    [("db-3", "'db-3'"), ("a' || true || '", r"'a\' || true || \''"), ("back\\slash", r"'back\\slash'"), ("a\nb", r"'a\U0000000ab'")],
)
def test_a_literal_of_cel_is_never_a_part_of_the_expression(text: str, said: str) -> None:
    assert cel.literal(text) == said
    assert cel.header_is("x-key-id", text) == f"request.headers['x-key-id'] == {said}"
