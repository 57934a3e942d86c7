"""A log of one's own, in any columns, made a folder that `open_log` opens."""
