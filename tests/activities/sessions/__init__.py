"""Sessions, in both stores."""
