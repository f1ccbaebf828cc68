"""The cache of answers (CAG): counted, sampled for evidence, and emptied of what is named."""
