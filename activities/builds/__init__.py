"""What we build: which builds have a package, where it was installed, what is blocked, and how a build without it comes about."""
