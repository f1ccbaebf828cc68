"""Objects that exist already, held so that nobody deletes or overwrites them."""
