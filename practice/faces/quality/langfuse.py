"""`/langfuse`: prompts and their labels (Langfuse 3, api.reference.langfuse.com). A label is on one version of a prompt at a time."""

from __future__ import annotations

from practice.faces.quality.mlflow import names
from practice.http.face import TOKEN, Ask, Call, Face, Refusal, Reply
from practice.quality.registry import Entry
from practice.world.state import JSON


def _refused(status: int, message: str) -> Reply:
    error = {401: "UnauthorizedError", 404: "LangfuseNotFoundError", 400: "InvalidRequestError"}.get(status, "Internal Server Error")
    return Reply({"message": message, "error": error}, status)


FACE = Face(
    "langfuse",
    refused=_refused,
    invalid=lambda problems: Reply({"message": "Invalid request data", "error": problems}, 400),
    authorised=lambda headers: headers.get("authorization") == f"Basic {TOKEN}",
    unauthorised=lambda headers: _refused(401, "Invalid credentials. Confirm that you've configured the correct host."),
    throttled=lambda: Reply({"message": "Rate limit exceeded", "error": "RateLimitError"}, 429),
)
PROMPT = "/langfuse/api/public/v2/prompts/{name}"


class NewLabels(Ask):
    newLabels: list[str]  # noqa: N815 - the vendor's name


def _entry(call: Call) -> Entry:
    found = names(call).get(call.path["name"])
    if found is None:
        raise Refusal(_refused(404, "Prompt not found"))
    return found


def _shown(call: Call, entry: Entry, version: int) -> JSON:
    labels = [label for label, number in entry.aliases.items() if number == version]
    by, at = entry.versions[version]
    stamp = call.world.clock.stamp(call.world.clock.start + at)
    return {
        "id": f"{call.path['name']}-{version}", "name": call.path["name"], "version": version, "type": "text", "prompt": "", "config": {},
        "labels": labels + (["latest"] if version == entry.newest else []), "tags": [], "createdBy": by, "createdAt": stamp,
    }  # fmt: skip


@FACE.reads("health", "/langfuse/api/public/health", public=True)
def health(call: Call) -> Reply:
    return Reply({"status": "OK", "version": "3.0.0"})


@FACE.reads("prompt.get", PROMPT)
def prompt(call: Call) -> Reply:
    """A prompt by its version, or by a label; without either by `production`."""
    entry, version, label = _entry(call), call.one("version"), call.one("label", "production")
    known = {**entry.aliases, "latest": entry.newest}
    number = int(version) if version.isascii() and version.isdigit() else known.get(label) if not version else None
    if number not in entry.versions:
        raise Refusal(
            _refused(404, f"Prompt not found: '{call.path['name']}' with {f'version {version}' if version else f'label {label}'}")
        )
    return Reply(_shown(call, entry, int(number or 0)))


@FACE.writes("label.set", PROMPT + "/versions/{version}", "PATCH")
def new_labels(call: Call) -> Reply:
    """Put labels on a version; each leaves the version that it was on."""
    wanted, entry, version = call.ask(NewLabels).newLabels, _entry(call), call.path["version"]
    if not (version.isascii() and version.isdigit()) or int(version) not in entry.versions:
        raise Refusal(_refused(404, "Prompt not found"))
    if "latest" in wanted:
        raise Refusal(_refused(400, "Label 'latest' is always assigned to the latest prompt version"))
    before = dict(entry.aliases)
    entry.aliases.update(dict.fromkeys(wanted, int(version)))
    call.did(f"{call.path['name']}/versions/{version}", before, dict(entry.aliases))
    return Reply(_shown(call, entry, int(version)))
