"""What a breach is contained with: networks of assets, who has access, what is logged, copies of disks."""
