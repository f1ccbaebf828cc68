"""Sign-in itself: a second factor, limits of attempts, whose accounts were opened, and who must choose another password."""
