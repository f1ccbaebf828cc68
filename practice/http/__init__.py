"""How a face is served: routes, injected faults, credentials, the effect log, OpenAPI; by sockets or in one process."""
