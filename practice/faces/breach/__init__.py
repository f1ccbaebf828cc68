"""What a breach is looked into by: who has read what, the map of data, public claims, what was left behind."""
