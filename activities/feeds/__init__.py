"""Generated files that services read (rule sets, feature files): a generator is stopped, and a good version is pinned."""
