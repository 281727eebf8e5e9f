"""Tasks: what is learned, one file each: a frozen spec, its losses and its figures."""
