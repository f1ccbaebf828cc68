"""Every mutant there is."""

from tests.mutants.guards import GUARDS
from tests.mutants.kept import ATTACKS, KEPT
from tests.mutants.knowledge import KNOWLEDGE
from tests.mutants.measures import LIFTED
from tests.mutants.mutant import Mutant
from tests.mutants.record import RECORD
from tests.mutants.runtime.breach import BREACH
from tests.mutants.runtime.clocks import CLOCKS
from tests.mutants.runtime.containment import CONTAINMENT
from tests.mutants.runtime.credentials import CREDENTIALS
from tests.mutants.runtime.databases import DATABASE
from tests.mutants.runtime.edge import EDGES
from tests.mutants.runtime.quality import QUALITY
from tests.mutants.runtime.queues import QUEUES
from tests.mutants.runtime.supply import SUPPLY_CHAIN
from tests.mutants.runtime.tenancy import TENANCY
from tests.mutants.spending import SPENT
from tests.mutants.tasks import TASKS
from tests.mutants.waiting import WAITED

MUTANTS: tuple[Mutant, ...] = (
    *ATTACKS, *BREACH, *CLOCKS, *CONTAINMENT, *CREDENTIALS, *DATABASE, *EDGES, *GUARDS, *KEPT, *KNOWLEDGE, *LIFTED, *QUALITY, *QUEUES, *RECORD,
    *SPENT, *SUPPLY_CHAIN, *TASKS, *TENANCY, *WAITED,
)  # fmt: skip
