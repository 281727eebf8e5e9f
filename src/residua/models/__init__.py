"""One file a family: a spec class, a table of named specs, a short builder."""
