"""The secret store: versions of secrets, pinned by number. What is in them never leaves the activity that reads it."""
