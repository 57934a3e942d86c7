"""What is predicted: a module a task."""
