"""What a breach is looked into by: who has read which data, the map of data, public claims, and what an intruder has left behind."""
