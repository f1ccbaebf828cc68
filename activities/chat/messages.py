"""Messages in a channel, each there once. Slack would take a message twice, so that it is looked for by our key before it is posted."""

from datetime import timedelta

from activities.action import Call
from activities.chat.slack import JSON, Escaped, Slack, split
from activities.kit.create_once import once

CLOCKS_DIFFER = timedelta(minutes=10)  # at most, ours and Slack's


async def say(slack: Slack, call: Call, channel: str, text: str, key: str) -> tuple[str, bool]:
    """Post a text, in as many messages as it takes: the `ts` of the first one, and whether all of them were there already."""
    parts = [await say_one(slack, call, channel, part, f"{key}.{n}" if n else key) for n, part in enumerate(split(text))]
    return parts[0][0], all(already for _, already in parts)


async def say_one(slack: Slack, call: Call, channel: str, text: Escaped, key: str) -> tuple[str, bool]:
    """Post one message: its `ts`, and whether it was there already."""
    # No attempt of this call is older than the call; of a person's *retry* an earlier one may be.
    oldest = None if call.again else f"{(call.at - CLOCKS_DIFFER).timestamp():.6f}"

    async def find() -> JSON | None:
        return await slack.message_of(call, channel, key, oldest)

    async def make() -> str:
        return await slack.post(call, channel, text, key)

    async def fetch(ts: str) -> JSON | None:
        return await slack.message(call, channel, ts)

    there = await once(call, f"channel {channel}", find, make, fetch)
    return str(there.found["ts"]), there.adopted
