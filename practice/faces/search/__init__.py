"""`/search`: stores of documents, hunted through, and kept out of what agents retrieve."""
