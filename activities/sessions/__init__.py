"""Sessions of users at sign-in: revoked by the instant before which they were issued, tenant by tenant."""
