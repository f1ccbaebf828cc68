"""Which data sets there are: classes, our role, whose, encryption, vendors; and how soon tenants have to be told (A.4 T3, Annex B 2.4)."""

from enum import StrEnum

from activities.action import Call, System, Value, action
from activities.breach.planes import DataMap, DataMapLook


class DataClass(StrEnum):
    PII = "PII"
    SPECIAL = "SPECIAL"
    PHI = "PHI"
    PAN = "PAN"
    SECRET = "SECRET"  # noqa: S105 - the name of a class of data
    CONTENT = "CONTENT"
    METADATA = "METADATA"


PERSONAL = frozenset({DataClass.PII, DataClass.SPECIAL, DataClass.PHI, DataClass.PAN, DataClass.CONTENT})  # until somebody shows otherwise


class DataRole(StrEnum):
    """Of ours, for one data set."""

    CONTROLLER = "controller"
    PROCESSOR = "processor"
    UNKNOWN = "unknown"


class DataSetsOf(DataMapLook, effect="read which data sets there are, and how soon tenants have to be told", path="data-sets"):
    """All of them."""


class DataSet(Value):
    """`subjects`: persons by country or state. None: nobody knows. `readers`: identities that may read it."""

    name: str
    classes: tuple[DataClass, ...]
    role: DataRole
    subjects: dict[str, int]
    tenants: tuple[str, ...]
    encrypted: bool | None
    key_exposed: bool | None
    shared_with: tuple[str, ...]
    readers: tuple[str, ...]

    @property
    def personal(self) -> bool:
        return bool(PERSONAL & set(self.classes)) or not self.classes


class DataSets(Value):
    """`contracts`: tenant → hours; None: nobody has written it down."""

    sets: tuple[DataSet, ...]
    contracts: dict[str, int | None] = {}

    def of(self, name: str) -> DataSet | None:
        return next((one for one in self.sets if one.name == name), None)

    def shared_with(self, vendor: str) -> tuple[DataSet, ...]:
        return tuple(one for one in self.sets if vendor in one.shared_with)

    def readable_by(self, identities: tuple[str, ...]) -> tuple[DataSet, ...]:
        return tuple(one for one in self.sets if set(identities) & set(one.readers))

    def shortest(self, tenants: tuple[str, ...]) -> int | None:
        """The fewest hours that a contract of these tenants gives, as far as they are written down."""
        return min((hours for one in tenants if (hours := self.contracts.get(one)) is not None), default=None)


class DataMaps(System):
    def __init__(self, plane: DataMap) -> None:
        self._plane = plane

    @action("data_map.read")
    async def read(self, order: DataSetsOf, call: Call) -> DataSets:
        """Every data set, and every contract; both lists to their end."""
        sets = [DataSet.model_validate(row) for row in await self._plane.all(call, order.path, "data_sets")]
        contracts = await self._plane.all(call, "/v1/contracts", "contracts")
        return DataSets(sets=tuple(sets), contracts={row["tenant"]: row["notice_hours"] for row in contracts})
