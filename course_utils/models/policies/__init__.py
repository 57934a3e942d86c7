"""Policies: bandits, and policy gradients from a log or from an environment."""
