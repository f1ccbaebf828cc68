"""What people see: golden screens, commands, doctor, the post-mortem."""
