"""War rooms and direct messages: Slack."""

from activities.chat.slack import Slack
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class SlackSettings(ClientSettings):
    slack_url: str = setting("https://slack.com/api", practice="{url}/slack/api")
    slack_token: str = secret()


async def _probe(slack: Slack, look: Look) -> Seen:
    scopes = await slack.scopes(look.call)
    lacking = [one for one in ("chat:write", "channels:manage") if scopes and one not in scopes]
    said = f"we are {(await slack.whoami(look.call))['user_id']}" + (f", without {', '.join(lacking)}" if lacking else "")
    return Seen(said, may_write=not lacking if scopes else None)


SYSTEM = SystemInfo(ClientInfo("slack", Slack, SlackSettings, _probe))
