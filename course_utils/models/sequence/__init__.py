"""Models that read a listener's plays one after the other."""
