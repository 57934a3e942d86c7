"""Drawings of the models, made by code in one style."""
