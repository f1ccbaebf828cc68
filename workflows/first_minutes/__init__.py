"""The checklist of the first 15 minutes (seed §0.3), and what of it is done by itself."""
