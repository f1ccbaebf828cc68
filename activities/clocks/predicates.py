"""What decides whether a clock applies (spec §10.3): facts that people state, each of them yes, no or unknown, and predicates over them.

Pure, and without any default: what nobody has said is unknown, and an unknown predicate keeps a clock running until Legal has answered.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from activities.action import Value

EEA = frozenset((
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT",
    "RO", "SE", "SI", "SK", "IS", "LI", "NO", "EU",
))  # fmt: skip
Answer = bool | None
MOST = 60  # countries, data sets, counts: all of it is kept in a workflow


def _told(said: object) -> object:
    """People answer yes, no or unknown."""
    words = {"yes": True, "no": False, "unknown": None, "?": None, "": None}
    return words.get(said.strip().casefold(), said) if isinstance(said, str) else said


Told = Annotated[bool | None, BeforeValidator(_told)]


def _in_capitals(said: object) -> object:
    return said.strip().upper() if isinstance(said, str) else said


Country = Annotated[str, BeforeValidator(_in_capitals), Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]


class Facts(Value):
    """The one form that Legal fills in, any part of it at any time. Counts and categories only: no name of anybody belongs here."""

    personal_data: Told = Field(None, description="Is personal data concerned?")
    countries: tuple[Country, ...] | None = Field(None, max_length=MOST, description="Whose data, by country: DE, FR, GB, US-CA")
    data_sets: dict[Annotated[str, Field(max_length=80)], Literal["controller", "processor", "unknown"]] = Field(
        {}, max_length=MOST, description="Our role for each data set"
    )
    risk_to_people: Told = Field(None, description="Is a risk to the persons concerned likely?")
    high_risk: Told = Field(None, description="Is a high risk to them likely? (Legal and an executive)")
    special_category: Told = Field(None, description="Special categories of data?")
    phi: Told = Field(None, description="Health data (PHI)?")
    pan: Told = Field(None, description="Card numbers (PAN)?")
    encrypted: Told = Field(None, description="Encrypted, with a key that is not compromised?")
    minors: Told = Field(None, description="Children's data?")
    counts: dict[Country, Annotated[int, Field(ge=0)]] = Field(
        {}, max_length=MOST, description="How many persons, by country or state: US-CA=700"
    )
    unavailable_minutes: float | None = Field(None, ge=0, description="For how long was the service fully unavailable, in minutes?")
    limited_minutes: float | None = Field(None, ge=0, description="For how long was it limited, in minutes?")
    eu_user_share: float | None = Field(None, ge=0, le=1, description="Which share of the EU users was hit, 0 to 1?")
    eu_users: int | None = Field(None, ge=0, description="How many EU users were hit?")
    malicious: Told = Field(None, description="Is a malicious act suspected?")
    financial_clients: Told = Field(None, description="Are financial entities among the clients hit?")
    covered_entity: Told = Field(None, description="Are we a HIPAA covered entity for it?")
    business_associate: Told = Field(None, description="Are we a HIPAA business associate for it?")
    registrant: Told = Field(None, description="Are we registered with the SEC?")
    material: Told = Field(None, description="Is it material? (Legal and an executive)")
    nis2_entity: Told = Field(None, description="Are we an essential or important entity (NIS2)?")
    high_risk_ai: Told = Field(None, description="Is a high-risk AI system of ours concerned?")
    ai_serious_incident: Told = Field(None, description="Is it a serious incident of that system, or is the link reasonably likely?")
    ai_widespread: Told = Field(None, description="Widespread infringement, or disruption of critical infrastructure?")
    ai_death: Told = Field(None, description="Did a person die?")
    product: Told = Field(None, description="Is a product with digital elements of ours concerned (SDK, agent, CLI, connector)?")
    exploited: Told = Field(None, description="Is a vulnerability of it actively exploited?")
    severe_for_product: Told = Field(None, description="Is it a severe incident for the security of that product?")
    law_enforcement_hold: Told = Field(None, description="Has law enforcement asked for a delay? (then: incident clocks delay)")
    gpai_systemic: Told = Field(None, description="Do we provide a general-purpose model with systemic risk?")
    frontier_developer: Told = Field(None, description="Are we a frontier developer?")
    imminent_harm: Told = Field(None, description="Is there imminent harm?")
    critical_infrastructure: Told = Field(None, description="Are we a covered critical-infrastructure entity?")
    ransom_paid: Told = Field(None, description="Was a ransom paid?")
    uk_managed_service: Told = Field(None, description="Are we in the scope of the UK bill?")
    nydfs_entity: Told = Field(None, description="Are we supervised by NYDFS?")
    fedramp_provider: Told = Field(None, description="Do we serve US agencies under FedRAMP?")
    ftc_institution: Told = Field(None, description="Are we an institution under the FTC Safeguards Rule?")

    def over(self, standing: "Facts") -> "Facts":
        """These, and where they say nothing the standing ones."""
        return standing.model_copy(update=self.stated())

    def stated(self) -> dict[str, object]:
        """What was said, and nothing else."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) not in (None, {})}


def both(*answers: Answer) -> Answer:
    """No when one of them is no; unknown when one is unknown; else yes."""
    return False if False in answers else None if None in answers else True


def either(*answers: Answer) -> Answer:
    return True if True in answers else None if None in answers else False


def negated(answer: Answer) -> Answer:
    return None if answer is None else not answer


def _has(facts: Facts, wanted: Callable[[str], bool]) -> Answer:
    named = facts.countries if facts.countries is not None else tuple(facts.counts) or None
    return None if named is None else any(map(wanted, (*named, *facts.counts)))


def _role(facts: Facts, role: str) -> Answer:
    """Whether we are that for one of the data sets; unknown while one set, or all of them, is without a role."""
    said = set(facts.data_sets.values())
    return True if role in said else None if not said or "unknown" in said else False


def _above(count: float | None, limit: float) -> Answer:
    return None if count is None else count > limit


def _nis2(facts: Facts) -> Answer:
    """Implementing Regulation (EU) 2024/2690, Art. 7, for cloud and managed services."""
    many = either(_above(facts.eu_user_share, 0.05), _above(facts.eu_users, 1_000_000))
    exposed = both(facts.personal_data, either(facts.malicious, many))
    return either(_above(facts.unavailable_minutes, 30), both(_above(facts.limited_minutes, 60), many), exposed)


def _counted(facts: Facts, wanted: Callable[[str], bool]) -> list[int]:
    return [count for place, count in facts.counts.items() if wanted(place)]


def _us(place: str) -> bool:
    return place == "US" or place.startswith("US-")


def _in_all(facts: Facts, wanted: Callable[[str], bool], least: int) -> Answer:
    """Whether so many persons, over all places together; unknown while none is counted."""
    return sum(found) >= least if (found := _counted(facts, wanted)) else None


def _in_one(facts: Facts, wanted: Callable[[str], bool], above: int) -> Answer:
    return max(found) > above if (found := _counted(facts, wanted)) else None


def _readable(facts: Facts) -> Answer:
    return negated(facts.encrypted)


COMPUTED: Mapping[str, Callable[[Facts], Answer]] = {
    "eu": lambda facts: _has(facts, lambda place: place.partition("-")[0] in EEA),
    "uk": lambda facts: _has(facts, lambda place: place.partition("-")[0] in ("GB", "UK")),
    "california": lambda facts: _has(facts, lambda place: place in ("US-CA", "US")),
    "us_other_state": lambda facts: _has(facts, lambda place: _us(place) and place != "US-CA"),
    "controller": lambda facts: _role(facts, "controller"),
    "processor": lambda facts: _role(facts, "processor"),
    "readable": _readable,
    "unsecured_phi": lambda facts: both(facts.phi, _readable(facts)),
    "phi_500_or_more": lambda facts: _in_all(facts, _us, 500),
    "phi_under_500": lambda facts: negated(_in_all(facts, _us, 500)),
    "over_500_in_a_state": lambda facts: _in_one(facts, lambda place: place.startswith("US-"), 500),
    "over_500_in_california": lambda facts: _in_one(facts, lambda place: place == "US-CA", 500),
    "nis2_significant": _nis2,
    "card_data": lambda facts: facts.pan,
    "material_or_undetermined": lambda facts: None if facts.material is None else facts.material,
    "unavailable": lambda facts: _above(facts.unavailable_minutes, 0),
    "tenant_affected": lambda facts: True,  # there is one such clock for each tenant that was named
    "unlisted_country": lambda facts: True,  # and for each country that was named
}
# What has to be asked, where a computed predicate is unknown: the fields of the form.
ASKS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("eu", "uk", "california", "us_other_state"), ("countries",)), **dict.fromkeys(("controller", "processor"), ("data_sets",)),
    **dict.fromkeys(("phi_500_or_more", "phi_under_500", "over_500_in_a_state", "over_500_in_california"), ("counts",)),
    "readable": ("encrypted",), "unsecured_phi": ("phi", "encrypted"), "card_data": ("pan",), "material_or_undetermined": ("material",),
    "nis2_significant": ("unavailable_minutes", "limited_minutes", "eu_user_share", "eu_users", "personal_data", "malicious"),
    "unavailable": ("unavailable_minutes",),
}  # fmt: skip
COUNTRY = "country:"


def known_predicate(name: str) -> bool:
    plain = name in Facts.model_fields and Facts.model_fields[name].annotation == Facts.model_fields["phi"].annotation
    return plain or name in COMPUTED or name.startswith(COUNTRY)


def holds(name: str, facts: Facts) -> Answer:
    if name.startswith(COUNTRY):
        return _has(facts, lambda place: place.partition("-")[0] == name.removeprefix(COUNTRY))
    answer: Answer = COMPUTED[name](facts) if name in COMPUTED else getattr(facts, name)
    return answer


def applies(conditions: Iterable[str], facts: Facts) -> tuple[Answer, tuple[str, ...]]:
    """Whether all of them hold; with why not (the first that does not), or with the fields of the form that are still asked."""
    found = {name: holds(name, facts) for name in conditions}
    if no := [name for name, answer in found.items() if answer is False]:
        return False, (no[0],)
    unknown = [name for name, answer in found.items() if answer is None]
    fields = [field for name in unknown for field in (("countries",) if name.startswith(COUNTRY) else ASKS.get(name, (name,)))]
    asked = tuple(dict.fromkeys(field for field in fields if getattr(facts, field) in (None, {}) or field == "data_sets"))
    return (None if unknown else True), asked
