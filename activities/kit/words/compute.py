"""Filters of Compute Engine (cloud.google.com/compute/docs/reference/rest/v1, `filter`): a value is one quoted word."""


def label_is(name: str, value: str) -> str:
    """What has a label of exactly this value."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'labels.{name}="{quoted}"'
