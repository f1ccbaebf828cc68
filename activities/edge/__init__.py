"""Where requests enter: the traffic of the regions, the gateway's rate limit, and health from inside and outside."""
