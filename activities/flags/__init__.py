"""The product's feature flags: in Unleash, or in flagd's file."""
