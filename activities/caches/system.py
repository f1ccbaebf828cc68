"""The cache of answers: Valkey or Redis."""

from activities.caches.valkey import Valkey
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting


class CacheSettings(ClientSettings):
    cache_address: str = setting(
        about="with a user that may look and unlink below the prefix, and nothing else (docs/deployment.md)",
        needed=True, example="rediss://incident@cache.example.com:6380/0",
    )  # fmt: skip
    cache_password: str = secret()
    cache_prefix: str = setting("cag", about="what the keys of cached answers begin with")


def _open(opening: Opening) -> Valkey:
    password = "" if opening.missing else opening.secret("cache_password")
    settings = opening.settings
    cache = Valkey(settings.cache_address, password, prefix=settings.cache_prefix, timeout=settings.client_timeout, missing=opening.missing)
    opening.build.stack.push_async_callback(cache.close)
    return cache


async def _probe(cache: Valkey, look: Look) -> Seen:
    info, size = await cache.info(), await cache.size()
    return Seen(f"{size} keys, {info.get('used_memory_human', '?')}; not probed whether we may unlink: that would remove something")


SYSTEM = SystemInfo(ClientInfo("cache", Valkey, CacheSettings, _probe, _open))
