"""Where logs come from, a module a kind."""
