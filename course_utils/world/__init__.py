"""A small model of a music service: it writes the default log and knows every true probability."""
