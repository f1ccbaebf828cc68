"""The tests of what a breach is looked into by."""
