"""The ways in that an intruder has: the stolen credential while it lets somebody in, and footholds that work; none past a cut network."""

from __future__ import annotations

from practice.containment.cast import there as there_of
from practice.containment.network import isolated
from practice.credentials.cast import credentials
from practice.intrusion.model import Foothold, Intrusion
from practice.world.state import State


def ways_in(state: State, there: Intrusion, at: float) -> list[str]:
    """What lets the intruder read now."""
    if there.intruder is None:
        return []
    who = there.identities[there.intruder.identity]
    if cut_off(state, who.asset, at):
        return []
    found = [one.id for one in there.footholds.values() if lets_in(one)]
    keys = credentials(state, at)
    listed = keys.inventory.get(who.credential)
    if listed is not None and keys.lets_in(keys.keys.get(listed.key)):
        found.append(who.credential)
    return found


def lets_in(one: Foothold) -> bool:
    """Whether somebody comes in by it: by one that is switched off only where that does not hold."""
    return one.opens and (one.state.enabled or one.sticks)


def cut_off(state: State, asset: str, at: float) -> bool:
    """Whether the network of an asset lets nothing through but what forensics needs."""
    return asset in there_of(state, at).assets and isolated(state, asset, at)
