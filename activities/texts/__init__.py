"""The texts that we send: templates, wordings, and how a question reads. Pure functions."""
