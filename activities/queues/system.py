"""Which product has the queues is chosen by `[policy.systems] queues` in organisation.toml."""

from activities.queues.control import QueueControl
from activities.queues.queues import WorkOf
from activities.systems import ClientInfo, ClientSettings, Look, Port, Seen, SystemInfo, secret, setting


class QueuesSettings(ClientSettings):
    queues_url: str = setting(about="queues and workers", needed=True, example="https://jobs.example.com", practice="{url}/jobs")
    queues_token: str = secret()


async def _probe(control: QueueControl, look: Look) -> Seen:
    said = await control.look(look.call, WorkOf())
    return Seen(f"knows {len(said['queues'])} queues and {len(said['workers'])} workers")


CONTROL = ClientInfo("queue control", QueueControl, QueuesSettings, _probe)
SYSTEM = SystemInfo(Port("queues", QueueControl, (CONTROL,)))
