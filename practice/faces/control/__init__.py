"""`/practice`: the routes by which a drill breaks and mends the world."""
