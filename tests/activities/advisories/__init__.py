"""What the world knows of packages."""
