"""A claim is compared by the hashes of three of its records; unknown is neither true nor false."""

import pytest

from activities.breach.claims import Claims, CorroborateClaim, Corroboration
from practice.intrusion.faults import claim
from tests.activities.breach.looked import data_map, desk, of
from tests.activities.kit.stage import Stage, attempt, refused, stage


async def corroborated(played: Stage, sampled: int = 3) -> Corroboration:
    order = CorroborateClaim(claim="c-1", sampled=sampled, incident_id="inc-1")
    return await attempt(Claims.corroborate, Claims(desk(played), data_map(played)), order, played.call())  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("true", "samples", "unread", "said"),
    [
        (True, 5, [], True),
        (False, 5, [], False),
        (False, 5, ["usage"], None),
        (False, 2, [], None),
        (False, 0, [], None),
        (True, 1, [], True),
    ],
)
async def test_one_that_matches_is_enough_and_none_is_false_only_when_all_were_compared(
    true: bool, samples: int, unread: list[str], said: bool | None
) -> None:
    played = stage()
    claim(of(played), "c-1", true=true, n=samples)
    of(played).dials.unread = unread
    found = await corroborated(played)
    assert found.true is said and found.shown == samples and found.compared == min(3, samples)


async def test_which_are_taken_nobody_chooses_and_a_retry_takes_the_same() -> None:
    """Of many, on several pages; three go to the map, and none of their hashes comes out."""
    played = stage()
    claim(of(played), "c-1", true=True, n=45)
    found = await corroborated(played)
    assert found == await corroborated(played) and found.shown == 45 and found.compared == 3
    assert not any(h in found.model_dump_json() for h in of(played).claims["c-1"].samples)


async def test_a_claim_that_nobody_has_taken_in_is_refused() -> None:
    assert "there is no claim c-1" in await refused(lambda: corroborated(stage()))
