"""`make bench`: what our engine costs beside the least that Temporal itself needs for the same thirteen steps."""
