"""What the product answers from: sources, an index, a cache of answers; customers who ask; and what can go wrong with any of it."""
