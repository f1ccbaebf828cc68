"""What answers are made from: sources and documents, what is kept out, the index, and how the cache of answers is used."""
