"""Evidence in S3: locked in compliance mode, signed as Amazon's own examples are, and once whatever happens."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from activities.action import NotYet, Refused
from activities.evidence.s3 import SignatureV4, _xml
from practice.faces.s3 import Buckets
from tests.activities.evidence.stage import TRANSCRIPT, kept, ledger, s3, stores
from tests.activities.kit.stage import InProcess, Stage, refused, stage

# Amazon's own examples (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html)
EXAMPLE = SignatureV4("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
AT = datetime(2013, 5, 24, tzinfo=UTC)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("asked", "signature"),
    [
        ("?lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("?max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_requests_are_signed_as_in_amazons_examples(asked: str, signature: str) -> None:
    headers = {"x-amz-date": "20130524T000000Z", "x-amz-content-sha256": EMPTY}
    request = httpx.Request("GET", f"https://examplebucket.s3.amazonaws.com/{asked}", headers=headers)
    said = EXAMPLE.authorization(request, AT, EMPTY)
    assert said.endswith(f"Signature={signature}") and "SignedHeaders=host;x-amz-content-sha256;x-amz-date," in said


async def removed(played: Stage, location: str) -> httpx.Response:
    """Somebody with every right tries to remove that very version."""
    name, _, version = location.removeprefix("s3://").partition("#")
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=practice/x"}
    async with httpx.AsyncClient(base_url="http://practice", transport=InProcess(played.app), headers=signed) as http:
        return await http.delete(f"/s3/{name}?versionId={version}")


async def test_a_lock_outlives_everybody_and_is_only_ever_made_longer(tmp_path: Path) -> None:
    played = stage()
    store, custody = stores(s3(played), ledger(tmp_path))
    there = await kept(store, played.call())
    assert there.write_once and (await removed(played, there.location)).status_code == 403
    longer, shorter = await kept(store, played.call(), days=800), await kept(store, played.call(), days=10)
    assert longer.adopted and longer.held_until - there.held_until == timedelta(days=434) and shorter.held_until == longer.held_until
    assert [line.held_until for line in custody.lines(played.call().incident_id)] == [longer.held_until]


async def test_without_object_lock_it_is_refused_and_doctor_can_say_so(tmp_path: Path) -> None:
    played = stage()
    store, custody = stores(s3(played, "plain"), ledger(tmp_path))
    assert "Object Lock" in await refused(lambda: kept(store, played.call()))
    assert not played.effects("s3") and not custody.lines(played.call().incident_id)
    assert not await s3(played, "plain").locks(played.call()) and await s3(played).locks(played.call())


@pytest.mark.parametrize("mode", ["fail", "commit_then_drop", "nothing_changed", "partial", "throttle", "hang"])
async def test_whatever_happens_on_the_way_it_lies_there_once(mode: str, tmp_path: Path) -> None:
    played = stage()
    store, _ = stores(s3(played), ledger(tmp_path))
    played.inject("s3.objects.put", mode, times=1)
    for _ in range(3):
        try:
            there = await kept(store, played.call())
        except (NotYet, httpx.HTTPError):
            continue
    assert there.adopted and len(played.effects("s3.objects.put")) == 1


async def test_what_somebody_else_put_in_its_place_is_never_taken_for_ours(tmp_path: Path) -> None:
    played = stage()
    store, _ = stores(s3(played), ledger(tmp_path))
    there = await kept(store, played.call())
    (versions,) = played.world.state.part(Buckets).by_name["evidence"].objects.values()
    versions[0].content = TRANSCRIPT.replace(b"nobody", b"no one")
    with pytest.raises(NotYet, match="something else"):
        await kept(store, played.call())
    assert "was altered" in await refused(lambda: store.read(played.call(), there.sha256))


@pytest.mark.parametrize("answer", [b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"not XML", b""])
def test_an_answer_expands_to_nothing(answer: bytes) -> None:
    with pytest.raises(Refused):
        _xml(httpx.Response(200, content=answer))
