"""What a cluster lets in: builds that are refused, by its own admission."""
