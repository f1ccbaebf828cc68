"""The draft of the post-mortem, and how drafting again keeps what people wrote."""
