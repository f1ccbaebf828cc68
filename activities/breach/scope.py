"""The scope ledger: who has read what, of whom, when, with how sure that is (A.4 T3). It widens by itself, and narrows only when people sign."""

from collections import defaultdict
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from activities.action import Call, System, Value, action
from activities.breach.data_map import DataClass, DataRole, DataSet, DataSets
from activities.breach.planes import AccessRecords
from activities.breach.records import ReadsOf, least
from activities.kit.rest import Json

MOST_LINES = 40  # that come out; more would only fill the history, and are in the evidence


class Confidence(StrEnum):
    HIGH = "high"  # the log has every read
    MEDIUM = "medium"  # it has reads, and not all
    LOW = "low"  # assumed: what it could read, as nobody can say what it has


class ScopeOf(ReadsOf, effect="write the scope ledger since {since:%Y-%m-%d %H:%M} UTC"):
    """`known`: what the map of data has of them; None: it does not answer. `vendor`: all that is shared with it counts."""

    volatile: ClassVar[frozenset[str]] = frozenset({"known"})

    known: DataSets | None = None
    vendor: str = ""

    def effect(self) -> str:
        whose = f"; all that is shared with {self.vendor}" if self.vendor else ""
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        return f"write the scope ledger of {len(self.identities)} identities since {since}: data set, rows, whose, when{whose}"


class ScopeLine(Value):
    """What one identity has read of one data set. `subjects`: persons by country or state. `rows` None: nobody can say."""

    identity: str
    data_set: str
    classes: tuple[DataClass, ...]
    role: DataRole
    rows: int | None
    tenants: tuple[str, ...]
    subjects: dict[str, int]
    encrypted: bool | None
    key_exposed: bool | None
    first: datetime | None = None
    last: datetime | None = None
    confidence: Confidence

    @property
    def key(self) -> tuple[str, str]:
        return self.identity, self.data_set

    @property
    def people(self) -> int:
        return sum(self.subjects.values())

    @property
    def in_words(self) -> str:
        rows = "rows unknown" if self.rows is None else f"{self.rows} rows"
        whose = ", ".join(f"{place} {n}" for place, n in sorted(self.subjects.items())) or "persons unknown"
        of = f"{'/'.join(self.classes) or 'classes unknown'}, we are {self.role}"
        return f"{self.data_set} ({of}) by {self.identity}: {rows}; {whose}; {len(self.tenants)} tenants; confidence {self.confidence}"

    def wider(self, other: "ScopeLine") -> "ScopeLine":
        """The most of both; as sure as the less sure one, where they differ."""
        places = sorted({*self.subjects, *other.subjects})
        rows = None if None in (self.rows, other.rows) else max(self.rows or 0, other.rows or 0)
        order = list(Confidence)
        return other.model_copy(update={
            "rows": rows, "tenants": tuple(sorted({*self.tenants, *other.tenants})), "classes": tuple(dict.fromkeys((*self.classes, *other.classes))),
            "subjects": {place: max(self.subjects.get(place, 0), other.subjects.get(place, 0)) for place in places},
            "role": other.role if other.role is not DataRole.UNKNOWN else self.role,
            "first": min(filter(None, (self.first, other.first)), default=None), "last": max(filter(None, (self.last, other.last)), default=None),
            "confidence": max(self.confidence, other.confidence, key=order.index),
        })  # fmt: skip

    def less_than(self, other: "ScopeLine") -> bool:
        """Whether it says less than another one of the same."""
        fewer = self.rows is not None and (other.rows is None or self.rows < other.rows)
        fewer_people = any(self.subjects.get(place, 0) < n for place, n in other.subjects.items())
        return fewer or fewer_people or bool(set(other.tenants) - set(self.tenants)) or bool(set(other.classes) - set(self.classes))


class ScopeLedger(Value):
    """`missing`: what the log does not have, in words; empty: it has everything. `more`: lines that are not among these."""

    lines: tuple[ScopeLine, ...] = ()
    missing: str = ""
    more: int = 0
    map_away: bool = False

    @property
    def classes(self) -> tuple[DataClass, ...]:
        return tuple(one for one in DataClass if any(one in line.classes for line in self.lines))

    @property
    def tenants(self) -> tuple[str, ...]:
        """Those for whom we are processor, or may be: they are told first."""
        return tuple(sorted({one for line in self.lines if line.role is not DataRole.CONTROLLER for one in line.tenants}))

    @property
    def roles(self) -> dict[str, DataRole]:
        return {line.data_set: line.role for line in self.lines}

    @property
    def subjects(self) -> dict[str, int]:
        """Persons by country or state: somebody who is in two data sets counts twice, as nobody can tell."""
        by = defaultdict[str, dict[str, int]](dict)
        for line in self.lines:
            for place, n in line.subjects.items():
                by[place][line.data_set] = max(n, by[place].get(line.data_set, 0))
        return {place: sum(those.values()) for place, those in sorted(by.items())}

    @property
    def personal(self) -> bool:
        return any(not line.classes or set(line.classes) - {DataClass.METADATA, DataClass.SECRET} for line in self.lines)

    @property
    def first(self) -> datetime | None:
        return min((line.first for line in self.lines if line.first), default=None)

    @property
    def last(self) -> datetime | None:
        return max((line.last for line in self.lines if line.last), default=None)

    @property
    def summary(self) -> str:
        if not self.lines:
            return "no read is on the log" + (f"; {self.missing}: the worst is assumed" if self.missing else "")
        people = sum(self.subjects.values())
        said = f"{len(self.lines) + self.more} lines: {', '.join(self.roles)}; {people} persons at most, {len(self.tenants)} tenants"
        return said + (f"; {self.missing}: the worst is assumed" if self.missing else "")

    def widened(self, new: "ScopeLedger") -> "ScopeLedger":
        """What is known and what was read now, each as wide as it ever was."""
        known, later = {line.key: line for line in self.lines}, {line.key: line for line in new.lines}
        lines = [
            known[key].wider(later[key]) if key in known and key in later else (later.get(key) or known[key]) for key in {**known, **later}
        ]
        return new.model_copy(update={"lines": tuple(lines), "more": max(self.more, new.more), "missing": new.missing or self.missing})

    def narrower(self, than: "ScopeLedger") -> tuple[str, ...]:
        """What it says less of than another one."""
        mine = {line.key: line for line in self.lines}
        return tuple(line.in_words for line in than.lines if line.key not in mine or mine[line.key].less_than(line))


class Scopes(System):
    def __init__(self, records: AccessRecords) -> None:
        self._records = records

    @action("access_records.scope")
    async def scope(self, order: ScopeOf, call: Call) -> ScopeLedger:
        """By the log and the map. Where the log does not reach, everything counts that an identity could read."""
        known, lines, missing = order.known, list[ScopeLine](), ""
        for identity in order.identities:
            answers = await self._records.answers(call, order.path, "reads", identity=identity, **order.asked())
            gap = least(answers).says(order.since)
            read = _lines([row for one in answers for row in one["reads"]], known, surely=not gap)
            lines += [_all_of(line, known) for line in read] if gap else read
            if gap and known is not None:
                seen = {line.data_set for line in read}
                lines += [_assumed(identity, one) for one in known.readable_by((identity,)) if one.name not in seen]
            missing = missing or gap
        if order.vendor and known is not None:
            lines += [_assumed(order.vendor, one) for one in known.shared_with(order.vendor)]
        return ScopeLedger(lines=tuple(lines[:MOST_LINES]), missing=missing, more=len(lines[MOST_LINES:]), map_away=known is None)


def _lines(rows: list[Json], known: DataSets | None, *, surely: bool) -> list[ScopeLine]:
    """Rows of one identity, data set by data set."""
    by = defaultdict[tuple[str, str], list[Json]](list)
    for row in rows:
        by[row["identity"], row["data_set"]].append(row)
    return [_line(key, those, known, surely=surely) for key, those in sorted(by.items())]


def _line(key: tuple[str, str], rows: list[Json], known: DataSets | None, *, surely: bool) -> ScopeLine:
    of = known.of(key[1]) if known is not None else None
    subjects = defaultdict[str, int](int)
    for row in rows:
        for place, n in row["subjects"].items():
            most = of.subjects.get(place, n) if of is not None else None
            subjects[place] = subjects[place] + n if most is None else min(subjects[place] + n, most)
    confidence = Confidence.HIGH if surely and of is not None else Confidence.MEDIUM
    return ScopeLine(
        identity=key[0], data_set=key[1], rows=sum(row["rows"] for row in rows), subjects=dict(subjects), confidence=confidence,
        tenants=tuple(sorted({row["tenant"] for row in rows if row["tenant"]})), first=min(datetime.fromisoformat(row["first"]) for row in rows),
        last=max(datetime.fromisoformat(row["last"]) for row in rows), **_facts(of),
    )  # fmt: skip


def _facts(of: DataSet | None) -> Json:
    """What the map says of a data set; of one that it does not have, nobody knows anything."""
    if of is None:
        return {"classes": (), "role": DataRole.UNKNOWN, "encrypted": None, "key_exposed": None}
    return {name: getattr(of, name) for name in ("classes", "role", "encrypted", "key_exposed")}


def _assumed(identity: str, of: DataSet) -> ScopeLine:
    """Everything of a data set: nobody can say what was read of it."""
    return ScopeLine(
        identity=identity, data_set=of.name, rows=None, tenants=of.tenants, subjects=of.subjects, confidence=Confidence.LOW, **_facts(of)
    )


def _all_of(line: ScopeLine, known: DataSets | None) -> ScopeLine:
    """The same, with everything that its data set has: what was read before the log begins nobody can say."""
    of = known.of(line.data_set) if known is not None else None
    return line if of is None else line.wider(_assumed(line.identity, of)).model_copy(update={"confidence": Confidence.LOW})
