"""The legal clocks on the command line."""
