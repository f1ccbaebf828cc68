"""What our supply chain shows: advisories of others, our builds and what is in them, hosts, blocklists, and the pipeline."""
