"""HTTPRoutes of the Gateway API: what is ours is changed, and what others have written there stays."""

from activities.edge.endpoints import Admission, EndpointOf
from activities.edge.gates import MANAGED_BY, GatewayApi
from tests.activities.kit.stage import stage

OF = EndpointOf(service="api", endpoint="documents.get", gate="gateway api")


async def test_the_notes_that_others_have_left_at_a_route_stay() -> None:
    played = stage()
    gate, call = GatewayApi(played.client("/k8s/eu-west")), played.call(incident_id="inc-1")
    before = (await gate.route(call, "api", "documents.get"))["metadata"]["annotations"]
    assert before and MANAGED_BY not in before
    await gate.write(call, OF, 0.0, await gate.read(call, OF), 0)
    now = await gate.read(call, OF)
    assert (now.value, now.changed_by) == (Admission(admitted=0.0), "inc-1")
    after = (await gate.route(call, "api", "documents.get"))["metadata"]["annotations"]
    assert after == {**before, MANAGED_BY: "inc-1"}
