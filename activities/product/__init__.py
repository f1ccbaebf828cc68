"""The product as a customer meets it. It proves what other systems do."""
