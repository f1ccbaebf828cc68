"""The agent runtime of our own product."""

from activities.agents.agent_runtime import AgentRuntime
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class AgentsSettings(ClientSettings):
    agents_url: str = setting(about="the agent runtime", needed=True, example="https://agents.example.com", practice="{url}/agents")
    agents_token: str = secret()


async def _probe(runtime: AgentRuntime, look: Look) -> Seen:
    said = await runtime.get(look.call, "/v1/agents")
    return Seen(f"knows {len(said['agents'])} agents")


SYSTEM = SystemInfo(ClientInfo("agent runtime", AgentRuntime, AgentsSettings, _probe))
