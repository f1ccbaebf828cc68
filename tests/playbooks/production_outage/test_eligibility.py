"""Roll-back targets: whatever is proposed is safe as far as anybody can know, and whatever is not says why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.deploys.orders import Revision, Rollout, Serving
from activities.organisation.catalogue import Blocked
from activities.organisation.numbers import RollBack
from activities.organisation.policy import Policy
from activities.platform.change_feed import KINDS, Change, Changes
from workflows.procedures.eligibility import Known, Targets, in_traffic, roll_back_targets

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RULE = Policy().roll_back


def revision(number: int, **more: Any) -> Revision:
    """A revision that is fit, unless said otherwise. One is built a day, the 41st yesterday."""
    fit: dict[str, Any] = {
        "id": f"api-{number:05d}", "digest": f"sha256:{number:02x}", "created_at": NOON - timedelta(days=42 - number), "ready": True,
        "green_minutes": 600.0, "secrets": ("SIGNING_KEY:2",), "schema_min": 3, "schema_max": 5, "image_present": True,
    }  # fmt: skip
    return Revision.model_validate({**fit, **more})


def rollout(*revisions: Revision, split: dict[str, float] | None = None, latest: str = "api-00041") -> Rollout:
    serving = Serving(split=split or {"LATEST": 1.0}, latest=latest, version="1")
    return Rollout(service="api", regions={"eu-west": serving, "us-east": serving}, revisions=revisions)


def targets(of: Rollout, **more: Any) -> Targets:
    return roll_back_targets(of, **{"rule": RULE, "schema": 5, **more})


def names(found: Targets) -> list[str]:
    return [one.id for one in found.eligible]


# ---- stories ----


def test_the_newest_fit_one_before_what_serves_comes_first() -> None:
    found = targets(rollout(*(revision(n) for n in (41, 40, 39, 38))))
    assert names(found) == ["api-00040", "api-00039", "api-00038"]
    assert found.best() == revision(40)
    assert found.ineligible == {"api-00041": ("it serves now",)}


@pytest.mark.parametrize(
    ("flaw", "more", "why"),
    [
        ({"green_minutes": 59.0}, {}, "it has served well for 59 min only, 60 min are wanted"),
        ({"green_minutes": None}, {}, "nobody can say how long it has served well"),
        ({"green_minutes": float("nan")}, {}, "it has served well for nan min only, 60 min are wanted"),
        ({"image_present": False}, {}, "its image is gone"),
        ({"image_present": None}, {}, "nobody can say whether its image is still there"),
        ({"ready": False}, {}, "it is not ready in every region"),
        ({"digest": ""}, {}, "its digest is unknown, so the blocklist cannot clear it"),
        ({}, {"blocked": ["sha256:28"]}, "its digest is on the blocklist"),
        ({}, {"disabled_secrets": ["SIGNING_KEY:2"]}, "it needs SIGNING_KEY:2, which is disabled"),
        (
            {"secrets": ("signing-key:",)},
            {"disabled_secrets": ["SIGNING_KEY:2"]},
            "nobody can say whether it needs SIGNING_KEY:2, which is disabled",
        ),
        (
            {"images": ("sha256:28", "sha256:77")},
            {"blocked": ["sha256:77"]},
            "the image of a container beside the application's is on the blocklist",
        ),
        (
            {"images": ("sha256:28", "")},
            {"blocked": ["sha256:77"]},
            "the image of a container beside the application's is not named by digest, so the blocklist cannot clear it",
        ),
        ({"dependencies": "sha256:d1"}, {"dependencies": ["sha256:d1"]}, "the dependencies that it was built with are on the blocklist"),
        (
            {},
            {"dependencies": ["sha256:d1"]},
            "it does not say which dependencies it was built with, so the blocklist cannot clear it",
        ),
        ({}, {"serving": ()}, "nothing serves now: there is nothing to roll back"),
        ({"schema_max": 4}, {}, "it works with database schemas 3 to 4, and 5 is in force"),
        ({"schema_min": 6, "schema_max": 9}, {}, "it works with database schemas 6 to 9, and 5 is in force"),
        ({"schema_min": None}, {}, "it does not say which database schemas it works with"),
        ({}, {"schema": None}, "the version of the database schema is unknown"),
        (
            {},
            {"irreversible": [NOON - timedelta(days=1, hours=1), NOON - timedelta(hours=1)]},
            "an irreversible migration ran since it was built, at 2026-11-22 11:00 UTC",
        ),
        ({}, {"tried": ["api-00040"]}, "it was tried in this incident and did not help"),
    ],
)
def test_each_flaw_alone_bars_a_revision_and_is_told(flaw: dict[str, Any], more: dict[str, Any], why: str) -> None:
    found = targets(rollout(revision(41), revision(40, **flaw)), **more)
    assert not found.eligible and found.best() is None
    assert found.ineligible["api-00040"] == (why,)


def test_every_reason_is_told_not_just_the_first() -> None:
    found = targets(rollout(revision(41), revision(40, image_present=False, green_minutes=0.0, schema_max=4)))
    assert len(found.ineligible["api-00040"]) == 3


def test_an_image_nobody_vouches_for_is_good_enough_where_policy_says_so() -> None:
    of = rollout(revision(41), revision(40, image_present=None))
    assert names(targets(of, rule=RollBack(image_vouched_for=False))) == ["api-00040"]


def test_the_green_time_is_the_policys() -> None:
    of = rollout(revision(41), revision(40, green_minutes=30.0))
    assert names(targets(of, rule=RollBack(green=timedelta(minutes=30)))) == ["api-00040"]


def test_what_is_newer_than_what_serves_is_no_way_back() -> None:
    of = rollout(*(revision(n) for n in (41, 40, 39)), split={"api-00040": 1.0})
    assert names(targets(of)) == ["api-00039"]
    assert targets(of).ineligible["api-00041"] == ("it is newer than what serves: not a way back",)


def test_during_a_canary_the_old_majority_is_a_target_when_only_the_canary_is_to_be_left() -> None:
    of = rollout(*(revision(n) for n in (41, 40, 39)), split={"api-00041": 0.1, "api-00040": 0.9})
    assert in_traffic(of) == {"api-00041", "api-00040"}
    assert names(targets(of)) == ["api-00039"]
    assert names(targets(of, serving=["api-00041"])) == ["api-00040", "api-00039"]


def test_a_service_without_revisions_has_no_targets() -> None:
    assert targets(rollout()) == Targets(eligible=(), ineligible={})


# ---- what could not be read ----

CHANGES = Changes(changes=(), kinds=KINDS, gaps=(), since=NOON - timedelta(days=9), until=NOON)
KEPT = Blocked(images=(), dependencies=(), secrets=())


def test_with_everything_read_nothing_is_said_to_be_missing() -> None:
    of = rollout(revision(41), revision(40)).model_copy(update={"may_change": {"eu-west": True, "us-east": True}})
    assert Known(schema_version=5, blocked=KEPT, changes=CHANGES).unread(of, revision(40)) == ()


@pytest.mark.parametrize(
    ("known", "may", "missing"),
    [
        ({"blocked": None}, True, ["what must not run again (organisation.toml)"]),
        ({"blocked": Blocked(images=(), secrets=())}, True, ["blocked dependencies ([blocked] dependencies)"]),
        ({"changes": None}, True, ["whether an irreversible migration ran since 2026-11-21 12:00 UTC"]),
        ({"changes": CHANGES.model_copy(update={"gaps": ("migration",)})}, True, ["whether an irreversible migration ran"]),
        ({"changes": CHANGES.model_copy(update={"since": NOON - timedelta(hours=24)})}, True, ["whether an irreversible migration ran"]),
        ({}, False, ["whether we may change it in eu-west", "whether we may change it in us-east"]),
    ],
)
def test_whatever_could_not_be_read_is_said_whole(known: dict[str, Any], may: bool, missing: list[str]) -> None:
    of = rollout(revision(41), revision(40)).model_copy(update={"may_change": {"eu-west": True, "us-east": True} if may else {}})
    found = Known(**{"schema_version": 5, "blocked": KEPT, "changes": CHANGES, **known}).unread(of, revision(40))
    assert len(found) == len(missing) and all(told.startswith(part) for told, part in zip(found, missing, strict=True)), found


def test_migrations_of_the_service_or_of_everything_bar_and_no_others() -> None:
    of = rollout(revision(41), revision(40))

    def after(*services: str, reversible: bool = False) -> list[str]:
        migration = Change(
            id="m", kind="migration", at=NOON - timedelta(hours=25), actor="kim", services=services, what="drop", reversible=reversible
        )
        known = Known(schema_version=5, changes=CHANGES.model_copy(update={"changes": (migration,)}))
        return names(known.targets(of, RULE, ["api-00041"], ()))

    assert (after("api"), after(), after("billing"), after("api", reversible=True)) == ([], [], ["api-00040"], ["api-00040"])


# ---- whatever there is ----

FLAWS: list[dict[str, Any]] = [
    {"digest": ""}, {"ready": False}, {"image_present": False}, {"image_present": None}, {"green_minutes": None}, {"green_minutes": 0.0},
    {"green_minutes": 30.0}, {"green_minutes": float("nan")}, {"schema_min": 6}, {"schema_min": None}, {"schema_max": 4}, {"schema_max": None},
    {"secrets": ()}, {"secrets": ("SIGNING_KEY:1", "DATABASE_URL:3")},
]  # fmt: skip
BARS: list[dict[str, Any]] = [
    {"schema": 4}, {"schema": 6}, {"schema": None}, {"blocked": frozenset({"sha256:26", "sha256:28"})}, {"blocked": frozenset({""})},
    {"disabled_secrets": frozenset({"SIGNING_KEY:1"})}, {"disabled_secrets": frozenset({"SIGNING_KEY:2"})},
    {"irreversible": [NOON - timedelta(days=4)]}, {"irreversible": [NOON - timedelta(days=9), NOON]},
    {"tried": frozenset({"api-00040"})}, {"tried": frozenset({"api-00039", "api-00038"})},
    {"rule": RollBack(green=timedelta(0))}, {"rule": RollBack(green=timedelta(hours=11))},
]  # fmt: skip
NOTHING = {
    "schema": 5, "blocked": frozenset[str](), "disabled_secrets": frozenset[str](), "irreversible": [], "tried": frozenset[str](), "rule": RULE,
}  # fmt: skip


def some(of: list[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(st.sampled_from(of), max_size=2).map(lambda chosen: {k: v for one in chosen for k, v in one.items()})


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Rollout, dict[str, Any]]:
    """Any revisions with some flaws, and some things to hold against them."""
    numbers = draw(st.lists(st.integers(36, 41), unique=True, max_size=5))
    revisions = [revision(number, **draw(some(FLAWS))) for number in numbers]
    ids = [one.id for one in revisions] or ["api-00041"]
    split = {draw(st.sampled_from(["LATEST", *ids])): 1.0}
    return rollout(*revisions, split=split, latest=max(ids)), {**NOTHING, **draw(some(BARS))}


@given(worlds())
@settings(max_examples=300)
def test_every_target_is_safe_as_far_as_anybody_knows(drawn: tuple[Rollout, dict[str, Any]]) -> None:
    of, against = drawn
    for one in targets(of, **against).eligible:
        assert one.id not in in_traffic(of) | against["tried"]
        assert one.ready and one.image_present is True
        assert one.digest and one.digest not in against["blocked"]
        assert not {*one.secrets} & against["disabled_secrets"]
        assert one.schema_min is not None and one.schema_max is not None and against["schema"] is not None
        assert one.schema_min <= against["schema"] <= one.schema_max
        assert all(at < one.created_at for at in against["irreversible"])
        assert one.green_minutes is not None and one.green_minutes * 60 >= against["rule"].green.total_seconds()


@given(worlds())
@settings(max_examples=200)
def test_every_revision_is_either_a_target_or_says_why_not_and_targets_are_newest_first(drawn: tuple[Rollout, dict[str, Any]]) -> None:
    of, against = drawn
    found = targets(of, **against)
    assert sorted([*names(found), *found.ineligible]) == sorted(one.id for one in of.revisions)
    assert all(reasons and all(reasons) for reasons in found.ineligible.values())
    assert names(found) == sorted(names(found), reverse=True)


@given(worlds(), st.data())
@settings(max_examples=200)
def test_knowing_less_or_forbidding_more_never_makes_a_target(drawn: tuple[Rollout, dict[str, Any]], data: st.DataObject) -> None:
    of, against = drawn
    before = set(names(targets(of, **against)))
    forgotten = data.draw(st.sampled_from(["green_minutes", "schema_min", "schema_max", "image_present"]))
    blurred = of.model_copy(update={"revisions": tuple(one.model_copy(update={forgotten: None}) for one in of.revisions)})
    assert not names(targets(blurred, **against))
    harder: dict[str, Any] = data.draw(
        st.sampled_from(
            [
                {"schema": None},
                {"blocked": against["blocked"] | {one.digest for one in of.revisions}},
                {"irreversible": [*against["irreversible"], NOON]},
                {"tried": against["tried"] | before},
                {"rule": RollBack(green=against["rule"].green + timedelta(hours=1))},
                {"dependencies": ["sha256:d1"]},
                {"disabled_secrets": against["disabled_secrets"] | {"SIGNING_KEY:2"}},
            ]
        )
    )
    assert set(names(targets(of, **{**against, **harder}))) <= before


@given(worlds())
@settings(max_examples=100)
def test_the_order_in_which_revisions_are_listed_does_not_matter(drawn: tuple[Rollout, dict[str, Any]]) -> None:
    of, against = drawn
    turned = of.model_copy(update={"revisions": tuple(reversed(of.revisions))})
    assert targets(turned, **against) == targets(of, **against)
