"""Every row of the specification's Annex A, and what of the product does it."""
