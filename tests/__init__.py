"""The rooms of the product again, the drill that stories are told on (`stage`), and judges that we did not write (`outside`, `judges`)."""
