"""Names and literals in SQL that a person types."""


def named(name: str) -> str:
    """An identifier, as PostgreSQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """A literal."""
    return "'" + text.replace("'", "''") + "'"
