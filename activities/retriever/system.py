"""The retriever of our own product."""

from activities.kit.words.urls import path
from activities.retriever.plane import Retriever
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class RetrieverSettings(ClientSettings):
    retriever_url: str = setting(needed=True, example="https://retriever.example.com", practice="{url}/retriever")
    retriever_token: str = secret()


async def _probe(retriever: Retriever, look: Look) -> Seen:
    domains = (await retriever.get(look.call, path("v1", "domains")))["domains"]
    return Seen(f"answers from {len(domains)} domains: {', '.join(domains)}")


SYSTEM = SystemInfo(ClientInfo("retriever", Retriever, RetrieverSettings, _probe))
