"""What the world knows of vulnerable and malicious packages: OSV, CISA's catalogue, EPSS, GitHub's advisories."""
