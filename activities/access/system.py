"""Who keeps access to projects and realms: `[policy.systems] access` chooses."""

from activities.access.google import GoogleAccess
from activities.access.keycloak_groups import GroupNames, KeycloakGroups
from activities.access.project_policy import SET_POLICY, ProjectPolicies
from activities.access.responders import AccessOf, AccessStore
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class ProjectSettings(ClientSettings):
    resource_manager_url: str = setting("https://cloudresourcemanager.googleapis.com", practice="{url}/crm")
    resource_manager_token: str = secret("or adc: Google's Application Default Credentials, which renew themselves")
    resource_manager_project: str = setting(
        about="the project that is read for a look from outside", needed=True, example="acme", practice="acme"
    )


class GoogleAccessSettings(ProjectSettings):
    responder_access_role: str = setting(
        about="what responders get, for a while: a role that takes conditions, so none of owner, editor, viewer",
        needed=True, example="roles/bigquery.dataViewer", practice="roles/bigquery.dataViewer",
    )  # fmt: skip
    responder_access_restricted: str = setting(
        about="the roles that rest meanwhile for everybody else, with commas",
        needed=True, example="roles/bigquery.dataViewer,roles/storage.objectViewer",
        practice="roles/bigquery.dataViewer,roles/storage.objectViewer",
    )  # fmt: skip
    responder_access_kept: str = setting(
        about="who keeps everything: break-glass, and whoever we act as where that is no service account; with commas",
        needed=True, example="group:break-glass@example.com", practice="group:break-glass@example.com",
    )  # fmt: skip


class KeycloakGroupsSettings(ClientSettings):
    keycloak_groups_url: str = setting(
        about="the Keycloak of your own people", needed=True, example="https://sso.example.com", practice="{url}/keycloak-staff"
    )
    keycloak_groups_token: str = secret("of a service account with manage-users and query-groups in the realm")
    keycloak_groups_realm: str = setting(
        about="the realm that is read for a look from outside", needed=True, example="staff", practice="acme-staff"
    )
    keycloak_groups_restricted: str = setting("customer-data", "the group whose members have the data usually")
    keycloak_groups_responders: str = setting("incident-responders", "the group that gets it meanwhile")
    keycloak_groups_resting: str = setting("customer-data-suspended", "the group in which everybody else waits; it opens nothing")
    keycloak_groups_kept: str = setting(about="user names that keep everything, as break-glass, with commas", example="break-glass")


def words(said: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(one.strip() for one in said.split(",") if one.strip())


def policies(opening: Opening) -> ProjectPolicies:
    return ProjectPolicies(opening.http("resource_manager"))


def _google(opening: Opening) -> GoogleAccess:
    given = opening.settings
    restricted, kept = words(given.responder_access_restricted), words(given.responder_access_kept)
    return GoogleAccess(policies(opening), restricted, given.responder_access_role, kept)


def _keycloak(opening: Opening) -> KeycloakGroups:
    given = opening.settings
    names = GroupNames(given.keycloak_groups_restricted, given.keycloak_groups_responders, given.keycloak_groups_resting)
    return KeycloakGroups(opening.http("keycloak_groups"), names, words(given.keycloak_groups_kept))


async def _probe_google(access: GoogleAccess, look: Look) -> Seen:
    project = look.settings.resource_manager_project
    now = await access.read(look.call, AccessOf(scope=project))
    may = await access.may_change(look.call, project)
    open_ = f"; no end can be put to {', '.join(now.unbound)}" if now.unbound else ""
    return Seen(f"the access to {project} is {now.value}{open_}" + ("" if may else f"; missing: {SET_POLICY}"), may_write=may)


async def _probe_keycloak(groups: KeycloakGroups, look: Look) -> Seen:
    realm = look.settings.keycloak_groups_realm
    return Seen(f"the access to {realm} is {(await groups.read(look.call, AccessOf(scope=realm, store='keycloak'))).value}")


GOOGLE = ClientInfo("google iam", GoogleAccess, GoogleAccessSettings, _probe_google, _google)
KEYCLOAK = ClientInfo("keycloak groups", KeycloakGroups, KeycloakGroupsSettings, _probe_keycloak, _keycloak)
SYSTEM = SystemInfo(Port("access", AccessStore, (GOOGLE, KEYCLOAK)))
