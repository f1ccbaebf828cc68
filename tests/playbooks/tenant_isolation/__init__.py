"""§2.5, told as stories: from a read that crossed to the last endpoint that is let in again."""
