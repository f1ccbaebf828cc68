"""Letters by mail: their exact text and list, an outbox that nobody is written to twice from, and SMTP."""
