"""The services of the world: revisions, deploys, traffic, instances, repositories."""
