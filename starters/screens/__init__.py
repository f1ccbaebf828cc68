"""What `incident` shows in a terminal."""
