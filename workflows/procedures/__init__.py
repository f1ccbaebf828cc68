"""Universal procedures (seed §1.2 to §1.5): what a person has run by `incident do`, and the rollback that playbooks use."""
