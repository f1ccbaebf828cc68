"""A cluster of databases: a primary, its standbys, the log that they share, who promotes by itself, and the pooler before them."""
