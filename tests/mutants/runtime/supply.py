"""What keeps bad packages out: scanners that must agree, bills that must be signed, blocks that must be enforced, fixes that must be cleared."""

from tests.mutants.mutant import Mutant

SBOM, PRESENCE, INSTALLS = "activities/builds/sbom.py", "activities/builds/presence.py", "activities/builds/installs.py"
BLOCKLIST, FIXES, REBUILD = "activities/builds/blocklist.py", "activities/builds/fixes.py", "activities/builds/rebuild.py"
ADMISSION, RANGES = "activities/admission/admission.py", "activities/advisories/ranges.py"
FIXING = "workflows/playbooks/supply_chain_cve/fixing.py"
SCANS, CHOICE = "tests/activities/builds/test_presence.py::", "tests/activities/builds/test_fixes.py::"
VERSIONS, FAILS = "tests/activities/advisories/test_ranges.py::", "tests/playbooks/supply_chain_cve/test_if_it_fails.py::"

SUPPLY_CHAIN = (
    Mutant(
        "a bill of material that is not the signed one is believed",
        SBOM,
        'if attestation["sha256"] != hashlib.sha256(document.encode()).hexdigest():',
        'if attestation["sha256"] == "":',
        (SCANS + "test_a_bill_that_is_not_believed_excludes_nothing",),
    ),
    Mutant(
        "a bill that says itself that it is not whole excludes what it does not list",
        SBOM,
        "    if loose:",
        "    if loose and not loose:",
        (SCANS + "test_a_bill_that_is_not_believed_excludes_nothing",),
    ),
    Mutant(
        "one scanner that finds nothing clears what the other finds",
        PRESENCE,
        "present = True if True in answers else (None if None in answers else False)",
        "present = False if False in answers else (None if None in answers else True)",
        (SCANS + "test_disagreement_is_presence_and_what_is_not_believed_is_said",),
    ),
    Mutant(
        "instances that say nothing have loaded nothing",
        PRESENCE,
        "return self.present is False and self.loaded is False",
        "return self.present is False and not self.loaded",
        (SCANS + "test_a_scanner_that_is_away_and_instances_that_are_silent_exclude_nothing",),
    ),
    Mutant(
        "where installs are not recorded nothing ran",
        INSTALLS,
        "return True if True in answers else (None if None in answers or self.gaps else False)",
        "return True if True in answers else (None if None in answers else False)",
        (SCANS + "test_where_installs_are_not_recorded_nobody_can_say_that_it_did_not_run",),
    ),
    Mutant(
        "a wrong range is read as if it were right",
        RANGES,
        "if ends and min(ends) < min(begins):",
        "if ends and not begins:",
        (VERSIONS + "test_a_wrong_range_says_so_and_excludes_nothing",),
    ),
    Mutant(
        "an advisory that names no version affects none",
        RANGES,
        "return None if package.unreadable or says_nothing else False",
        "return None if package.unreadable else False",
        (VERSIONS + "test_an_advisory_that_names_nothing_excludes_nothing",),
    ),
    Mutant(
        "a block that is shown and not enforced counts",
        BLOCKLIST,
        'if not (await self.rest.probe(call, path("v1", *of.parts(), "probe"), {"version": version}))["refused"]:',
        'if not (await self.rest.probe(call, path("v1", *of.parts(), "probe"), {"version": version})):',
        (CHOICE + "test_a_place_that_shows_a_block_and_does_not_enforce_it_has_none",),
    ),
    Mutant(
        "a fix that is vulnerable itself is taken",
        FIXES,
        'return f"{\', \'.join(found[:3])} concerns it" if found else ""',
        'return ""',
        (CHOICE + "test_a_fix_that_is_vulnerable_itself_is_passed_over",),
    ),
    Mutant(
        "a fix may be of another major version",
        FIXES,
        "same = [one for one in ordered(known) if major(one) == mine]",
        "same = ordered(known)",
        (CHOICE + "test_never_across_a_major_version",),
    ),
    Mutant(
        "people can have another major version built",
        REBUILD,
        "if order.version and order.current and major(order.version) != major(order.current):",
        "if order.version and order.current and major(order.version) is None:",
        (FAILS + "test_only_across_a_major_version_is_a_persons_work_whoever_says_otherwise",),
    ),
    Mutant(
        "a build is believed without its scans",
        REBUILD,
        "if scanned.present is not False:",
        "if scanned.present is not False and not scanned.present:",
        (CHOICE + "test_a_build_that_has_something_else_that_is_blocked_is_refused",),
    ),
    Mutant(
        "a policy that refuses nothing counts as admission",
        ADMISSION,
        "if NAME not in said:",
        "if NAME in said and not said:",
        (CHOICE + "test_a_policy_that_is_shown_and_not_enforced_is_none",),
    ),
    Mutant(
        "a build that serves is refused without being asked",
        ADMISSION,
        "        if there:\n",
        "        if there and not there:\n",
        (CHOICE + "test_what_serves_is_refused_only_when_that_is_said",),
    ),
    Mutant(
        "a blocked version is taken when people say so",
        FIXING,
        "if listed_in(self.blocked, package, version):",
        "if listed_in((), package, version):",
        (FAILS + "test_without_a_fix_an_executive_has_the_risk_and_a_blocked_version_is_not_taken",),
    ),
)
