"""War rooms and direct messages: Slack."""

from activities.chat.slack import Slack
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class SlackSettings(ClientSettings):
    slack_url: str = setting("https://slack.com/api", practice="{url}/slack/api")
    slack_token: str = secret()


async def _probe(slack: Slack, look: Look) -> Seen:
    return Seen(f"we are {(await slack.whoami(look.call))['user_id']}")


SYSTEM = SystemInfo(ClientInfo("slack", Slack, SlackSettings, _probe))
