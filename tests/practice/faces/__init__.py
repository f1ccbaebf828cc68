"""Each face of the practice platform, against the vendor's own habits."""
