"""Search over stores of documents."""

from activities.search.index import SearchIndex
from activities.search.search import StoresOf
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class SearchSettings(ClientSettings):
    search_url: str = setting(needed=True, example="https://search.example.com", practice="{url}/search")
    search_token: str = secret()


async def _probe(index: SearchIndex, look: Look) -> Seen:
    rows = (await index.look(look.call, StoresOf()))["stores"]
    partly = [row["name"] for row in rows if not row["readable"] or row["coverage"] < 1]
    return Seen(f"{len(rows)} stores" + (f"; not searched in whole: {', '.join(partly)}" if partly else ""))


SYSTEM = SystemInfo(ClientInfo("search", SearchIndex, SearchSettings, _probe))
