"""What promotes beside us, or instead of us: Patroni, Cloud SQL."""
