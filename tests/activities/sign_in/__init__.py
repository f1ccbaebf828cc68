"""Sign-in under attack, in both stores."""
