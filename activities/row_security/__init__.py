"""Row security of the database: audited, and proven as the role that the application comes by."""
