"""The rules of the security playbooks: breach, secret, supply chain."""
