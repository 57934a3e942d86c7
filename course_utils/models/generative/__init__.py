"""Models that generate: lists, vectors, and names of tracks."""
