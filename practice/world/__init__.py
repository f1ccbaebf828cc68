"""The world itself: one state, its clock, its chance, injected faults, and the log of effects."""
