"""More than one machine: the course's own functions, a partition at a time."""
