"""Models that say how what they see came about, and can make more of it."""
