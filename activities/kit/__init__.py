"""What every system of ours stands on: settings that are put back, things that exist once, operations, and words that are built."""
