"""From a log to tasks: sources, validation, splits in time, counters, histories."""
