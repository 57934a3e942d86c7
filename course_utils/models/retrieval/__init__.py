"""Models that find candidates in the whole catalogue: what is taught in part 2."""
