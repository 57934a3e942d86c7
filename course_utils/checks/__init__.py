"""Checks of the exercises: a module a notebook."""
