"""How much runs: `[policy.systems] "worker pools"` in organisation.toml chooses who scales the workers."""

from activities.capacity.pools import PoolControl
from activities.queues.system import QueuesSettings
from activities.systems import ClientInfo, Look, Port, Seen, SystemInfo


async def _probe(pools: PoolControl, look: Look) -> Seen:
    said = await pools.get(look.call, "/v1/pool")
    return Seen(f"{said['running']} of {said['workers']} workers run, {said['most']} may")


POOLS = ClientInfo("pool control", PoolControl, QueuesSettings, _probe)
SYSTEM = SystemInfo(Port("worker pools", PoolControl, (POOLS,)))
