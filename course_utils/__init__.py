"""Helpers of the course on neural recommender systems: the log, the world, the models."""

__version__ = "0.1.0"
