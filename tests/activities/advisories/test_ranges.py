"""OSV's events, with PyPI's versions: affected, not affected, or nobody can say."""

import pytest

from activities.action import Refused
from activities.advisories.osv import understood
from activities.advisories.ranges import affects, ordered
from activities.advisories.seen import AffectedPackage


def package(*events: dict[str, str], versions: tuple[str, ...] = (), ecosystem: str = "PyPI") -> AffectedPackage:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    affected = {"package": {"ecosystem": ecosystem, "name": "quickyaml"}, "ranges": ranges, "versions": list(versions)}
    return understood({"id": "GHSA-x", "affected": [affected]}).packages[0]


@pytest.mark.parametrize(
    ("events", "version", "meant"),
    [
        (({"introduced": "0"}, {"fixed": "2.3.4"}), "2.3.3", True),
        (({"introduced": "0"}, {"fixed": "2.3.4"}), "2.3.4", False),
        (({"introduced": "0"}, {"fixed": "2.3.4"}), "2.3.4rc1", True),
        (({"introduced": "0"}, {"fixed": "2.3.4"}), "2.10", False),  # by numbers, not by letters
        (({"introduced": "2.0"}, {"last_affected": "2.3"}), "2.3.0", True),
        (({"introduced": "2.0"}, {"last_affected": "2.3"}), "2.3.0.post1", False),
        (({"introduced": "1.0"}, {"fixed": "1.2"}, {"introduced": "2.0"}, {"fixed": "2.1"}), "1.5", False),
        (({"introduced": "1.0"}, {"fixed": "1.2"}, {"introduced": "2.0"}, {"fixed": "2.1"}), "2.0.1", True),
        (({"introduced": "2.0"},), "3.0", True),  # no fixed version: to this day
        (({"introduced": "0"}, {"fixed": "2.3.4"}), "main", None),
    ],
)
def test_a_version_is_judged_by_the_events_up_to_it(events: tuple[dict[str, str], ...], version: str, meant: bool | None) -> None:
    assert affects(package(*events), version) is meant


def test_what_is_listed_is_meant_however_it_is_written() -> None:
    assert affects(package(versions=("2.3",)), "2.3.0") is True
    assert affects(package(versions=("2.3",)), "2.4") is False


def test_a_wrong_range_says_so_and_excludes_nothing() -> None:
    wrong = package({"introduced": "2.4"}, {"fixed": "2.3.4"}, versions=("2.3.1",))
    assert wrong.unreadable == ("a wrong range: it ends before it begins",)
    assert affects(wrong, "2.3.1") is True and affects(wrong, "9.9") is None
    assert package({"fixed": "2.3.4"}).unreadable == ("a wrong range: it does not say from which version on",)


def test_an_advisory_that_names_nothing_excludes_nothing() -> None:
    assert affects(package(), "1.0") is None


def test_versions_of_others_are_not_ordered_by_us() -> None:
    foreign = package({"introduced": "0"}, {"fixed": "2.3.4"}, versions=("1.0.0",), ecosystem="npm")
    assert affects(foreign, "9.0.0") is None and affects(foreign, "1.0.0") is True


def test_versions_are_ordered_without_those_that_are_none() -> None:
    assert ordered(["2.10", "2.9", "3.0b1", "nightly", "2.9.post1"]) == ["2.9", "2.9.post1", "2.10"]


@pytest.mark.parametrize(
    "record", [{"affected": []}, {"id": "x", "affected": [{"package": {"name": "n"}}]}, {"id": "x", "published": "soon"}]
)
def test_a_record_that_is_none_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        understood(record)


def test_hosts_of_malicious_code_are_taken_only_as_full_names() -> None:
    iocs = {"domains": ["evil.example", "*.example", "evil.example/path", "EVIL", ""]}
    assert understood({"id": "MAL-1", "database_specific": {"iocs": iocs}}).iocs == ("evil.example",)


def test_a_severity_that_cannot_be_read_is_unknown_and_counts_as_high() -> None:
    found = understood({"id": "x", "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:nonsense"}]})
    assert found.cvss is None and found.high and "cannot be read" in found.unknown[0]
    vector = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"
    low = understood({"id": "x", "severity": [{"type": "CVSS_V3", "score": vector}]})
    assert low.cvss is not None and low.cvss < 7 and not low.high
