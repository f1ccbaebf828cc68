"""`/retriever`: what answers are made from. Sources, quarantine, the index, and how the cache of answers is used."""
