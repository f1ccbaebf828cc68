"""The clocks that laws and contracts set: which there are, when each is due, and the messages to the workflow that keeps them."""
