"""Cloud Run's Admin API: what it accepts, how it refuses, and what customers get of it."""

from typing import Any

import httpx
import pytest

from practice.services.fleet import Place
from practice.world.stage import Stage

LOCATION = "/run/v2/projects/acme/locations/eu-west"
API = f"{LOCATION}/services/api"
LATEST, REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
OLDER = {"type": REVISION, "revision": "api-00040", "percent": 100}


async def seen(stage: Stage, region: str = "eu-west") -> Any:
    return await stage.must("GET", API.replace("eu-west", region))


async def settled(stage: Stage) -> Any:
    """As it is shown once the change under way was looked at."""
    await seen(stage)
    return await seen(stage)


async def patch(stage: Stage, mask: str = "traffic", query: str = "", **body: Any) -> httpx.Response:
    return await stage.call("PATCH", f"{API}?updateMask={mask}{query}", body)


def place(stage: Stage, region: str = "eu-west") -> Place:
    return stage.world.state.fleet.services["api"].places[region]


def message(answer: httpx.Response, status: int, name: str) -> str:
    """What a refusal says; it must have the vendor's form."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (status, status, name)
    said: str = error["message"]
    return said


async def test_a_service_shows_what_serves_it_and_what_it_could_be_rolled_back_to(stage: Stage) -> None:
    service = await seen(stage)
    assert service["name"] == "projects/acme/locations/eu-west/services/api"
    assert service["traffic"] == service["trafficStatuses"] == [{"type": LATEST, "percent": 100}]
    assert service["generation"] == service["observedGeneration"] == "1"
    assert "reconciling" not in service, "what is false is left out"
    assert service["latestReadyRevision"] == service["latestCreatedRevision"] == f"{service['name']}/revisions/api-00041"
    revisions = (await stage.must("GET", f"{API}/revisions"))["revisions"]
    assert [one["name"].rsplit("/", 1)[1] for one in revisions][:2] == ["api-00041", "api-00040"]
    container = revisions[0]["containers"][0]
    assert container["image"].partition("@")[2].startswith("sha256:")
    assert container["env"][0]["valueSource"] == {"secretKeyRef": {"secret": "DATABASE_URL", "version": "3"}}
    assert revisions[0]["annotations"] == {"incident-playbooks/schema-min": "3", "incident-playbooks/schema-max": "5"}
    assert {one["type"]: one["state"] for one in revisions[0]["conditions"]} == dict.fromkeys(
        ("Ready", "ContainerReady", "ContainerHealthy", "Active"), "CONDITION_SUCCEEDED"
    )


async def test_a_revision_whose_image_is_gone_says_so(stage: Stage) -> None:
    first = await stage.must("GET", f"{API}/revisions/api-00034")
    conditions = {one["type"]: one for one in first["conditions"]}
    assert conditions["Ready"]["state"] == "CONDITION_FAILED"
    assert conditions["ContainerReady"]["reason"] == "CONTAINER_MISSING"


async def test_lists_come_in_pages(stage: Stage) -> None:
    pages: list[list[str]] = []
    token = ""
    while token or not pages:
        page = await stage.must("GET", f"{API}/revisions?pageSize=3" + (f"&pageToken={token}" if token else ""))
        pages.append([one["name"] for one in page["revisions"]])
        token = page.get("nextPageToken", "")
    assert [len(page) for page in pages] == [3, 3, 2]
    assert len({name for page in pages for name in page}) == 8
    services = await stage.must("GET", f"{LOCATION}/services")
    assert [one["name"].rsplit("/", 1)[1] for one in services["services"]] == ["api"], "what runs on Kubernetes is not here"


async def test_traffic_moves_in_one_region_and_is_shown_only_when_it_has_moved(stage: Stage) -> None:
    before = await seen(stage)
    operation = (await patch(stage, etag=before["etag"], traffic=[OLDER])).json()
    assert "done" not in operation
    under_way = await seen(stage)
    assert under_way["reconciling"]
    assert (under_way["traffic"], under_way["trafficStatuses"]) == ([OLDER], before["trafficStatuses"])
    assert (under_way["generation"], under_way["observedGeneration"]) == ("2", "1")
    after = await seen(stage)
    assert "reconciling" not in after and after["trafficStatuses"] == [OLDER]
    assert after["generation"] == after["observedGeneration"] == "2"
    assert after["etag"] != before["etag"]
    assert place(stage).split == {"api-00040": 1.0}
    assert place(stage, "us-east").split == {"LATEST": 1.0}


async def test_an_operation_is_done_at_the_second_look_or_after_a_while(stage: Stage) -> None:
    operation = (await patch(stage, traffic=[OLDER])).json()
    assert "done" not in await stage.must("GET", f"/run/v2/{operation['name']}")
    done = await stage.must("GET", f"/run/v2/{operation['name']}")
    assert done["done"] and done["response"]["trafficStatuses"] == [OLDER]
    assert done["response"]["@type"] == "type.googleapis.com/google.cloud.run.v2.Service"
    operation = (await patch(stage, traffic=[{"type": LATEST, "percent": 100}])).json()
    stage.forward(6)
    assert (await stage.must("GET", f"/run/v2/{operation['name']}"))["done"]
    message(await stage.call("GET", f"{LOCATION}/operations/nonsense"), 404, "NOT_FOUND")


async def test_a_stale_etag_is_a_conflict_and_without_one_the_last_writer_wins(stage: Stage) -> None:
    before = await seen(stage)
    assert (await patch(stage, etag=before["etag"], traffic=[OLDER])).is_success
    again = await patch(stage, etag=before["etag"], traffic=[{"type": LATEST, "percent": 100}])
    assert "not current" in message(again, 409, "ABORTED")
    assert (await patch(stage, traffic=[{"type": LATEST, "percent": 100}])).is_success
    assert place(stage).split == {"LATEST": 1.0}


async def test_the_same_traffic_twice_is_one_change(stage: Stage) -> None:
    await patch(stage, traffic=[OLDER])
    etag = (await settled(stage))["etag"]
    assert (await patch(stage, etag=etag, traffic=[OLDER])).json()["done"]
    assert (await seen(stage))["etag"] == etag
    assert [entry["changed"] for entry in stage.effects("run.services.patch")] == [True, False]


async def test_enums_are_taken_as_numbers_and_as_names_and_the_query_of_googles_clients_is_known(stage: Stage) -> None:
    answer = await patch(
        stage,
        query="&%24alt=json%3Benum-encoding%3Dint",
        traffic=[{"type": 2, "revision": "api-00039", "percent": 10}, {"type": 1, "percent": 90}],
    )
    assert answer.is_success
    assert place(stage).split == {"api-00039": 0.1, "LATEST": 0.9}


async def test_what_a_client_read_it_may_send_back(stage: Stage) -> None:
    service = await seen(stage)
    assert (await patch(stage, **{**service, "traffic": [OLDER]})).is_success
    assert (await settled(stage))["template"] == service["template"]


@pytest.mark.parametrize(
    ("traffic", "why"),
    [
        ([{"type": LATEST, "percent": 90}], "sum to 100"),
        ([{"type": LATEST, "percent": 101}], "less than or equal to 100"),
        ([{"type": REVISION, "revision": "api-00077", "percent": 100}], "not found"),
        ([{"type": "BY_FEELING", "percent": 100}], "invalid value"),
        ([{"type": 7, "percent": 100}], "invalid value"),
        ([{"percent": 100}], "traffic.0.type"),
        ([{"type": LATEST, "revision": "api-00040", "percent": 100}], "names no revision"),
        ([{"type": LATEST, "percent": "100"}], "valid integer"),
        ([{"type": LATEST, "percent": 100, "share": 1}], "Extra inputs"),
    ],
)
async def test_traffic_that_makes_no_sense_is_refused(stage: Stage, traffic: list[Any], why: str) -> None:
    assert why in message(await patch(stage, traffic=traffic), 400, "INVALID_ARGUMENT")
    assert place(stage).split == {"LATEST": 1.0}
    assert not stage.effects("run.services.patch")


async def test_it_is_strict_about_everything_else_too(stage: Stage) -> None:
    message(await patch(stage, mask="labels", labels={}), 400, "INVALID_ARGUMENT")
    message(await patch(stage, mask="", traffic=[OLDER]), 400, "INVALID_ARGUMENT")
    message(await patch(stage, mask="template", traffic=[OLDER]), 400, "INVALID_ARGUMENT")
    message(await patch(stage, query="&force=true", traffic=[OLDER]), 400, "INVALID_ARGUMENT")
    message(await patch(stage, query="&allowMissing=true", traffic=[OLDER]), 501, "UNIMPLEMENTED")
    message(await patch(stage, name="projects/acme/locations/us-east/services/api", traffic=[OLDER]), 400, "INVALID_ARGUMENT")
    message(await patch(stage, trafic=[OLDER]), 400, "INVALID_ARGUMENT")
    message(await stage.call("GET", f"{LOCATION}/services/orchestrator"), 404, "NOT_FOUND")
    message(await stage.call("GET", API.replace("eu-west", "ap-south")), 404, "NOT_FOUND")
    message(await stage.call("GET", f"{API}/revisions/api-00077"), 404, "NOT_FOUND")
    message(await stage.call("GET", API, Authorization="Bearer other"), 401, "UNAUTHENTICATED")
    await stage.inject("run.services.get", "throttle", 1)
    throttled = await stage.call("GET", API)
    message(throttled, 429, "RESOURCE_EXHAUSTED")
    assert throttled.headers["Retry-After"] == "1"


async def test_a_dry_run_checks_and_changes_nothing(stage: Stage) -> None:
    before = await seen(stage)
    answer = (await patch(stage, query="&validateOnly=true", traffic=[OLDER])).json()
    assert answer["done"] and answer["response"]["traffic"] == [OLDER]
    message(await patch(stage, query="&validateOnly=true", traffic=[{"type": LATEST, "percent": 1}]), 400, "INVALID_ARGUMENT")
    assert await seen(stage) == before
    assert not any(entry["changed"] for entry in stage.effects())


async def test_a_tag_keeps_its_revision_reachable(stage: Stage) -> None:
    tagged = {"type": REVISION, "revision": "api-00039", "tag": "before"}
    await patch(stage, traffic=[OLDER, tagged])
    assert (await settled(stage))["trafficStatuses"] == [OLDER, tagged]
    await patch(stage, traffic=[OLDER])
    assert (await settled(stage))["trafficStatuses"] == [OLDER]


@pytest.mark.parametrize("flaw", ["its image is gone", "a secret of it is disabled", "it never became ready"])
async def test_traffic_cannot_go_where_nothing_can_start(stage: Stage, flaw: str) -> None:
    wanted = "api-00034" if flaw == "its image is gone" else "api-00036"
    if flaw == "a secret of it is disabled":
        stage.world.state.fleet.disabled_secrets.append("SIGNING_KEY:1")
    if flaw == "it never became ready":
        stage.world.state.fleet.services["api"].revisions[wanted].ready = False
    operation = (await patch(stage, traffic=[{"type": REVISION, "revision": wanted, "percent": 100}])).json()
    await stage.must("GET", f"/run/v2/{operation['name']}")
    failed = await stage.must("GET", f"/run/v2/{operation['name']}")
    assert failed["done"] and failed["error"]["code"] == 9 and wanted in failed["error"]["message"]
    service = await seen(stage)
    assert service["terminalCondition"]["state"] == "CONDITION_FAILED"
    assert service["traffic"][0]["revision"] == wanted and service["trafficStatuses"] == [{"type": LATEST, "percent": 100}]
    assert place(stage).split == {"LATEST": 1.0}
    await patch(stage, traffic=[OLDER])
    assert (await settled(stage))["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"


async def test_a_new_template_is_a_new_revision_and_serves_where_the_latest_does(stage: Stage) -> None:
    await patch(stage, traffic=[OLDER])
    template = (await settled(stage))["template"]
    key = next(env for env in template["containers"][0]["env"] if env["name"] == "SIGNING_KEY")
    key["valueSource"]["secretKeyRef"]["version"] = "3"
    for region in ("eu-west", "us-east"):
        answer = await stage.call("PATCH", API.replace("eu-west", region) + "?updateMask=template", {"template": template})
        assert answer.is_success
    api = stage.world.state.fleet.services["api"]
    assert api.newest().name == "api-00042" and api.newest().secrets == {"DATABASE_URL": 3, "SIGNING_KEY": 3}
    assert (api.serving("eu-west"), api.serving("us-east")) == ({"api-00040": 1.0}, {"api-00042": 1.0})
    assert (await settled(stage))["latestCreatedRevision"].endswith("/api-00042")
    assert [c.details for c in stage.world.state.fleet.changes if c.actor == "admin-api"] == [{"revision": "api-00042"}]
    assert (await patch(stage, mask="template", template=template)).json()["done"], "the same template again is nothing new"
    key["valueSource"]["secretKeyRef"]["version"] = "latest"
    assert "pinned" in message(await patch(stage, mask="template", template=template), 400, "INVALID_ARGUMENT")


async def test_instances_are_scaled_within_bounds(stage: Stage) -> None:
    assert (await patch(stage, mask="scaling", scaling={"minInstanceCount": 6, "maxInstanceCount": 12})).is_success
    assert (place(stage).least, place(stage).most) == (6, 12)
    assert (await settled(stage))["scaling"] == {"minInstanceCount": 6, "maxInstanceCount": 12, "scalingMode": "AUTOMATIC"}
    message(await patch(stage, mask="scaling", scaling={"minInstanceCount": 60}), 400, "INVALID_ARGUMENT")


async def test_done_may_be_said_although_nothing_changed(stage: Stage) -> None:
    """An operation that succeeds is no proof: what serves must be read."""
    await stage.inject("run.services.patch", "nothing_changed", 1)
    operation = (await patch(stage, traffic=[OLDER])).json()
    done = await stage.must("GET", f"/run/v2/{operation['name']}")
    assert done["done"] and "error" not in done
    assert (await seen(stage))["trafficStatuses"] == [{"type": LATEST, "percent": 100}]
