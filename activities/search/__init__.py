"""Search over stores of documents: where a piece of evidence lies, or something that says the same."""
