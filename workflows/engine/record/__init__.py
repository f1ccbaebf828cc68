"""The timeline and the status, as they are written into the ledger."""
