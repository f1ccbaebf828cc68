"""Backups of databases: a port. Without a restore test a backup is "unverified", however green its job was."""
