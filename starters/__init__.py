"""Everything that starts or steers an incident: the `incident` CLI, the screens, the alert receiver."""
