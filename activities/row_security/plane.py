"""Row security as our own product says it, where nobody lets us into the database itself."""

from activities.action import Call
from activities.kit.rest import RestClient
from activities.row_security.row_security import AuditOf, Integrity, IntegrityOf, ProofOf, RowSecurityAudit, RowSecurityProof


class TenancyDatabase(RestClient):
    async def audit(self, call: Call, order: AuditOf) -> RowSecurityAudit:
        return RowSecurityAudit.model_validate(await self.look(call, order))

    async def prove(self, call: Call, order: ProofOf) -> RowSecurityProof:
        return RowSecurityProof.model_validate(await self.look(call, order))

    async def integrity(self, call: Call, order: IntegrityOf) -> Integrity:
        return Integrity.model_validate(await self.look(call, order))
