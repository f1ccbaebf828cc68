"""Whether a version is affected, by OSV's own events (ossf.github.io/osv-schema), with the versions of PyPI as `packaging` orders them.

Versions of other ecosystems we do not order: there the database is asked for the very version (`Osv.of_version`).
"""

from packaging.version import InvalidVersion, Version

from activities.advisories.seen import PYPI, AffectedPackage, Bound

BEGINNING = "0"  # OSV's word for: from the first version on


def affects(package: AffectedPackage, version: str) -> bool | None:
    """Whether this version is meant. None: that cannot be told, which counts as yes."""
    if version in package.versions:
        return True
    if package.ecosystem != PYPI:
        return None
    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    if any(_same(wanted, one) for one in package.versions) or any(_within(wanted, events) for events in package.ranges):
        return True
    says_nothing = not package.ranges and not package.versions
    return None if package.unreadable or says_nothing else False


def listed_in(blocked: tuple[str, ...], name: str, version: str) -> bool:
    """Whether a version stands on a list of `name==version`, however it is written: 1.8.1 is 1.8.1.0."""
    versions = [one.partition("==")[2] for one in blocked if one.partition("==")[0] == name]
    try:
        return version in versions or any(_same(Version(version), one) for one in versions)
    except InvalidVersion:
        return False


def wrong(events: tuple[Bound, ...]) -> str:
    """What is wrong with a range, in words; empty when it can be read. Only for PyPI."""
    try:
        ordered = {one: _at(one.version) for one in events}
    except InvalidVersion:
        return "a version in it cannot be read"
    begins = [at for one, at in ordered.items() if one.event == "introduced"]
    ends = [at for one, at in ordered.items() if one.event in ("fixed", "last_affected")]
    if not begins:
        return "it does not say from which version on"
    if ends and min(ends) < min(begins):
        return "it ends before it begins"
    return ""


def major(version: str) -> tuple[int, int] | None:
    """Epoch and first number of a PyPI version; None where it is none."""
    try:
        found = Version(version)
    except InvalidVersion:
        return None
    return found.epoch, found.major


def ordered(versions: list[str]) -> list[str]:
    """Oldest first; what is no version of PyPI, or a pre-release, is left out."""
    known = []
    for one in versions:
        try:
            known.append((Version(one), one))
        except InvalidVersion:
            continue
    return [one for at, one in sorted(known) if not at.is_prerelease]


def newer(one: str, other: str) -> bool:
    return Version(one) > Version(other)


def _at(version: str) -> Version:
    return Version("0.dev0") if version == BEGINNING else Version(version)


def _same(wanted: Version, listed: str) -> bool:
    try:
        return Version(listed) == wanted
    except InvalidVersion:
        return False


def _within(wanted: Version, events: tuple[Bound, ...]) -> bool:
    """OSV's evaluation: the events up to the version, in order, each of which begins or ends it."""
    affected = False
    for at, one in sorted(((_at(one.version), one) for one in events), key=lambda pair: (pair[0], pair[1].event != "introduced")):
        if one.event == "introduced" and wanted >= at:
            affected = True
        elif (one.event in ("fixed", "limit") and wanted >= at) or (one.event == "last_affected" and wanted > at):
            affected = False
    return affected
