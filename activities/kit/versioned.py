"""Settings with a version: compare, write under the version and the epoch that were read, read back. One way for all of them.

An epoch fences what etags cannot: a late duplicate of an order loses against whatever came after it, even when that was undone since.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from temporalio import activity

from activities.action import Call, NotYet, Refused, Value
from activities.kit.http import Conflict
from activities.texts.wording import curl

ROUNDS = 3  # read, decide, write: as often before somebody else is plainly at work on the same thing
SOON = timedelta(seconds=1)
TOKEN = "Authorization: Bearer $PLATFORM_TOKEN"  # noqa: S105 - the name of a variable in a person's shell


class Versioned(Value):
    """A setting as it was read. `epoch` is 0 where there is none; `changed_by` is empty where nobody knows."""

    etag: str
    epoch: int = 0
    changed_by: str = ""

    @property
    def author(self) -> str:
        """Who wrote it last, in a sentence."""
        return self.changed_by or "somebody"


S = TypeVar("S", bound=Versioned)


@dataclass(frozen=True)
class Settled(Generic[S]):
    """A setting that is as wanted: as it was found, as it is now, and whether we wrote."""

    before: S
    after: S
    wrote: bool


@dataclass(frozen=True)
class Setting(Generic[S]):
    """How one setting is read and written. `says` puts a state into words."""

    name: str
    read: Callable[[], Awaitable[S]]
    write: Callable[[str, int], Awaitable[None]]  # under this etag, at this epoch
    says: Callable[[S], str]

    async def bring_about(
        self,
        fits: Callable[[S], bool],
        *,
        epoch: int = 0,
        read_etag: str = "",
        left: Callable[[S], bool] | None = None,
        half_done: Callable[[S], bool] | None = None,
    ) -> Settled[S]:
        """Bring it about. `epoch` fences the write (0: the next one); `read_etag` does where there are no epochs.

        `left`: write only over what we left ourselves. `half_done`: another version may be our own write that broke off. Raises `Refused`
        when somebody else has changed it, `NotYet` when it was accepted but does not show.
        """
        before: S | None = None
        for _ in range(ROUNDS):
            now = await self.read()
            if fits(now):
                now = await self.read()  # once more: nothing else would show that the first reading was stale
            before = before or now
            if fits(now):
                return Settled(before, now, wrote=False)
            newer = (epoch and now.epoch >= epoch) or (read_etag and now.etag != read_etag and not (half_done and half_done(now)))
            if newer:
                at = f" (epoch {now.epoch})" if now.epoch else ""
                raise Refused(f"a newer change of {self.name}{at} by {now.author} exists: {self.says(now)}. Read it again")
            if left is not None and not left(now):
                raise Refused(f"conflict: {now.author} has changed {self.name} since we left it: {self.says(now)}")
            try:
                await self.write(now.etag, epoch or now.epoch + 1)
            except Conflict:
                if not epoch and not read_etag:
                    break  # nothing but this version fenced the write: the next try decides anew
                continue
            after = await self.read()
            if not fits(after):
                raise NotYet(f"accepted, but {self.name} still shows {self.says(after)}", after=SOON)
            return Settled(before, after, wrote=True)
        raise NotYet(f"{self.name} changed while we wrote; we look again", after=SOON)


def whose(call: Call, made: Settled[Any]) -> str:
    """Whose doing it is that we did not write in this try; nothing to say when we did."""
    if made.wrote:
        return ""
    by = "an earlier try of ours" if made.after.changed_by == call.incident_id else made.after.author
    return f"; it was so already, by {by}"


def elapsed(call: Call) -> timedelta:
    """Real time since the step began: nothing in its first try, the tries and pauses before in a later one."""
    if not activity.in_activity():
        return timedelta(0)
    info = activity.info()
    return max(timedelta(0), info.started_time - info.scheduled_time)


def by_now(call: Call) -> Call:
    """The same call at this try's own instant: what must show in the metrics shows later than the step began."""
    return call.model_copy(update={"at": call.at + elapsed(call)})


def percents(shares: Iterable[float]) -> str:
    """Shares as people say them: `1, 10, 100 %`."""
    return ", ".join(f"{share * 100:g}" for share in shares) + " %"


def named(name: str) -> str:
    """A name as it may stand in an address, and in a person's shell: nothing in it is ever a command."""
    return quote(name, safe="")


def part_of(service: str, part: str) -> str:
    """The path of one part of a service."""
    return f"services/{named(service)}/{part}"


def read_by_hand(path: str) -> str:
    """A shell command that shows a setting."""
    return curl("GET", f"$PLATFORM_URL/v1/{path}", TOKEN)


def put_by_hand(path: str, body: dict[str, Any]) -> tuple[str, ...]:
    """Shell commands that write a setting: read its version, then write under it. A body with an epoch gets the next one."""
    field = "python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])'"
    lines = [f"STATE=$({read_by_hand(path)})", f'ETAG=$(echo "$STATE" | {field} etag)']
    if "epoch" in body:
        lines.append(f'EPOCH=$(($(echo "$STATE" | {field} epoch) + 1))')
    put = curl("PUT", f"$PLATFORM_URL/v1/{path}", TOKEN, "If-Match: $ETAG", "X-Actor: $USER", body=body)
    number = put.replace('"\'"$EPOCH"\'"', "'\"$EPOCH\"'")  # without the quotes that would make it a string
    return (*lines, number.replace("curl -sS ", "curl -sS --fail-with-body ", 1))
