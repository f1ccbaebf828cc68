"""The change freeze: the lock of deploy branches at GitHub, and the orders to the freeze's own workflow."""
