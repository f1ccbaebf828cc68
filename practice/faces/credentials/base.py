"""`/credentials`: our own contract. The inventory of credentials, an issuer of our own, and those who check keys."""

from __future__ import annotations

from practice.credentials.cast import credentials
from practice.credentials.model import OWN, Credentials, Key
from practice.http.face import Call
from practice.http.own_api import own_api

FACE = own_api(
    "credentials",
    "Credentials: where each is and who uses it; keys of an issuer of our own; and the places that check keys, with what they remember.",
)
OF = "/credentials/v1"


def there_of(call: Call) -> Credentials:
    return credentials(call.state, call.now)


def presented(call: Call) -> Key | None:
    """The key that somebody shows."""
    return there_of(call).by_value(call.headers.get("x-credential", ""))


def own_key(call: Call) -> Key:
    found = there_of(call).keys.get(call.path["key"])
    if found is None or found.issuer != OWN:
        raise call.refuse(404, f"there is no key {call.path['key']}")
    return found
