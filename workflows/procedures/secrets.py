"""The seed's quick actions for data protection (§1.5): another key for a secret, a service started with it, everybody signed out.

A value never passes us: another key is made at its issuer and kept in the secret store in one step; where only people can make one, they type
the seed's own command. A service is started with a version by its number, and never with the latest.
"""

from collections.abc import Mapping

from activities.action import Risk, Role, action_of
from activities.credentials.inventory import Inventory
from activities.credentials.issuers import Surveys
from activities.credentials.orders import CredentialOf, MintReplacement, SurveyOf
from activities.credentials.replacements import Replacements
from activities.deploys.deploys import Deploys
from activities.deploys.orders import RevisionsOf
from activities.deploys.pins import PinSecret
from activities.deploys.redeploy import Redeploys
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptDeploy, ExemptionPurpose
from activities.kit.words.shell import command
from activities.organisation.catalogue import Deployed
from activities.organisation.organisation import meant
from activities.sessions.sessions import Revocations, RevokeSessions
from activities.tenancy.matrix import IsolationProbes
from activities.tenancy.plane import HomesOf
from workflows.engine.verbs import Verbs
from workflows.errors import HandOver, NotAccepted
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.people.questions import ApprovalTerms

BOTH = (Role.INCIDENT_COMMANDER, Role.SECURITY_LEAD)
FIELDS = {"rotate-secret": ("inventory_id",), "pin-secret": ("name", "version"), "revoke-all-sessions": ()}


def asked_of(procedure: str, fields: Mapping[str, str]) -> str:
    """What a person means, in words. Raises `NotAccepted` for a field that there is not, and for one that is missing."""
    known = FIELDS[procedure]
    for key in fields:
        if key not in known:
            raise NotAccepted(f"{procedure} has no field {key}{meant(key, known)}; it has {', '.join(known) or 'none'}")
    if procedure == "pin-secret" and (set(fields) != set(known) or not fields["version"].isdecimal() or int(fields["version"]) < 1):
        raise NotAccepted("say which secret and which version, by its number: name=OPENAI_API_KEY version=7")
    return fields.get("inventory_id") or " version ".join(filter(None, (fields.get("name", ""), fields.get("version", ""))))


async def rotate(verbs: Verbs, name: str) -> None:
    """Another key, once, in a new version of its secret. Who uses it is told how it is started with that; the old one lives on until then."""
    one = (await verbs.do(Inventory.find, CredentialOf(credential=name))).credential
    if one is None:
        raise HandOver(f"{name} is in no inventory: nobody knows who issues it")
    survey = await verbs.look(Surveys.survey, SurveyOf(credential=one))
    if survey is None or not survey.mints:
        raise HandOver(f"only people can make another key for {name} at {one.issuer}; without a name this procedure says how")
    order = MintReplacement(
        credential=one.id, old=one.ref, secret=one.secret, label=f"{verbs.incident_id}/{one.id}", scopes=one.needed,
        lasting=verbs.policy.secret_compromise.lasting, at=verbs.clock(),
    )  # fmt: skip
    made = await verbs.propose(Replacements.create, order)
    if made.effect is None:
        return
    version = str(made.effect.after.get("version", "NUMBER"))
    for service in one.users:
        words = ("incident", "do", verbs.incident_id, "pin-secret", f"name={one.secret}", f"version={version}", "--service", service)
        verbs.note(f"{service} takes it by: {command(*words)}", "next")
    verbs.note(
        f"the old key of {name} is alive: when everybody has another one, it is revoked (§2.10, call-in playbook=secret_compromise)", "next"
    )


async def pin(verbs: Verbs, freezes: ServiceFreezes, service: Deployed, name: str, version: int, why: str) -> None:
    """Started with this very version, in every region; under an exemption where this incident holds deploys back."""
    order, exemption = PinSecret(service=service, secret=name, version=version), await _exemption(verbs, freezes, service)
    also = (exemption.digest(action_of(Freezes.exempt).name),) if exemption else ()
    terms = ApprovalTerms(asks=f"Start {service.name} with version {version} of {name}?", facts=(why,), also=also)
    decision = await verbs.approve_all(Redeploys.run, [order], terms)
    if decision.grant is None:
        return
    if exemption is not None:
        await verbs.propose(Freezes.exempt, exemption, under=decision.grant)
    await verbs.propose(Redeploys.run, order, under=decision.grant)


async def _exemption(verbs: Verbs, freezes: ServiceFreezes, service: Deployed) -> ExemptDeploy | None:
    """For the very image that serves: it brings no other code (INV-18)."""
    if not freezes.holds(service):
        return None
    rollout = await verbs.look(Deploys.survey, RevisionsOf(service=service))
    serving = [rollout.revision(one.latest) for one in rollout.regions.values()] if rollout else []
    digest = next((one.digest for one in serving if one and one.digest), "")
    if not digest:
        raise HandOver(f"nobody can say what {service.name} serves, so that nothing but that could be let through the freeze")
    return ExemptDeploy(service=service, holder=verbs.incident_id, artefact=digest, purpose=ExemptionPurpose.SECRET_REDEPLOY)


async def sign_everybody_out(verbs: Verbs, why: str) -> bool:
    """Tenant by tenant, so that sign-in stands it, on the word of both; service accounts go on. False: nobody can say which tenants there are."""
    homes = await verbs.look(IsolationProbes.homes, HomesOf(service=verbs.service))
    tenants, at = sorted(homes.at) if homes else [], verbs.clock()
    orders = [RevokeSessions(tenant=one, revoked_before=at, tenants=len(tenants)) for one in tenants]
    if not orders:
        return False
    asks = f"Sign out everybody of {len(orders)} tenants? Service accounts go on"
    terms = ApprovalTerms(asks=asks, roles=BOTH, facts=(why,), least=Risk.C3, strict=True, stays=True)
    decision = await verbs.approve_all(Revocations.run, orders, terms)
    size = verbs.policy.secret_compromise.session_batch
    for start in range(0, len(orders), size) if decision.grant is not None else ():
        await verbs.together(*(verbs.propose(Revocations.run, one, under=decision.grant) for one in orders[start : start + size]))
    return True
