"""An advisory as we understand it (Annex B 2.12). What its sources do not say, or say differently, is kept: unknown is a value."""

from datetime import datetime
from typing import Annotated

from packaging.utils import canonicalize_name
from pydantic import AfterValidator, ValidationInfo

from activities.action import Value
from activities.values import listed

HIGH = 7.0  # CVSS from which on it is high (spec §9.12)
LIKELY = 0.1  # EPSS from which on it counts as high, whatever its CVSS is


PYPI = "PyPI"


def _canonical(name: str, known: ValidationInfo) -> str:
    """As PyPI compares names: `Http_Kit` is `http-kit`. Other registries tell them apart."""
    return canonicalize_name(name) if known.data.get("ecosystem") == PYPI else name


PackageName = Annotated[str, AfterValidator(_canonical)]  # in a model whose field before it is `ecosystem`


class Bound(Value):
    """One event of a range, in OSV's words: `introduced`, `fixed`, `last_affected` or `limit`."""

    event: str
    version: str


class AffectedPackage(Value):
    """A package, and which of its versions are meant: those that are listed, and those in a range. `unreadable`: ranges that say nothing to us."""

    ecosystem: str
    name: PackageName
    ranges: tuple[tuple[Bound, ...], ...] = ()
    versions: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def fixed(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.version for events in self.ranges for one in events if one.event == "fixed"))


class Advisory(Value):
    """One advisory. `kev`: it is in CISA's catalogue (None: nobody knows); `unknown`: what could not be asked or read; `differ`: where the
    sources do not agree."""

    id: str
    aliases: tuple[str, ...] = ()
    malicious: bool = False
    summary: str = ""
    published: datetime | None = None
    withdrawn: datetime | None = None
    packages: tuple[AffectedPackage, ...] = ()
    cvss: float | None = None
    epss: float | None = None
    kev: bool | None = None
    due: str = ""
    iocs: tuple[str, ...] = ()  # hosts that malicious code calls
    unknown: tuple[str, ...] = ()
    differ: tuple[str, ...] = ()

    @property
    def cve(self) -> str:
        return next((one for one in (self.id, *self.aliases) if one.startswith("CVE-")), "")

    @property
    def ghsa(self) -> str:
        return next((one for one in (self.id, *self.aliases) if one.startswith("GHSA-")), "")

    @property
    def high(self) -> bool:
        """By its score, or because it is exploited, or likely to be. Unknown counts as high: nobody has said that it is not."""
        likely = bool(self.kev) or (self.epss or 0.0) >= LIKELY
        return self.malicious or likely or self.cvss is None or self.cvss >= HIGH

    @property
    def named(self) -> str:
        """The packages, as people say them."""
        return listed(tuple(dict.fromkeys(one.name for one in self.packages))) or "no package"

    @property
    def in_words(self) -> str:
        what = "malicious release" if self.malicious else "vulnerability"
        said = [f"{self.id}{f' ({self.cve})' if self.cve and self.cve != self.id else ''}: {what} of {self.named}"]
        said += [f"CVSS {self.cvss:g}"] if self.cvss is not None else []
        said += [f"EPSS {self.epss:.0%}"] if self.epss is not None else []
        said += [f"known to be exploited, due {self.due}"] if self.kev else []
        said += [f"withdrawn {self.withdrawn:%Y-%m-%d}"] if self.withdrawn else []
        said += ["no fixed version is named"] if not self.malicious and not any(one.fixed for one in self.packages) else []
        said += [f"the sources differ: {'; '.join(self.differ)}"] if self.differ else []
        said += [f"not known: {'; '.join(self.unknown)}"] if self.unknown else []
        return ", ".join(said)
