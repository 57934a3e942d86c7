"""Metrics, intervals, and the contest of models."""
