"""Who can be paged and asked. The roster is read when it is used: authority comes from who holds a role *now*."""

from collections.abc import Iterable

from activities.action import Role, Value


class Person(Value):
    id: str
    name: str
    roles: tuple[Role, ...]
    email: str = ""
    slack: str = ""
    pager: str = ""
    country: str = ""  # whose public holidays they keep; empty: the policy's
    time_zone: str = ""  # where their day begins, `Europe/Berlin`; empty: the policy's


class Roster(Value):
    """Who holds which role now. The first named for a role is its primary."""

    people: dict[str, Person] = {}

    def holders(self, roles: Iterable[Role]) -> tuple[Person, ...]:
        """Everybody who holds one of the roles, primaries first."""
        wanted = tuple(roles)
        return tuple(
            p for role in wanted for p in self.people.values() if role in p.roles and next(one for one in wanted if one in p.roles) is role
        )

    def person(self, who: str) -> Person | None:
        """The person called so, by id or by name, whatever the capitals."""
        return next((p for p in self.people.values() if who.casefold() in (p.id.casefold(), p.name.casefold())), None)
