"""Who is told what, and when: war room, ticket, status page, support and executives, and the cadence of updates."""
