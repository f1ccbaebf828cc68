"""What agents, tenants and keys may use: at our own policy router or in LiteLLM; and the quota of our keys at providers."""
