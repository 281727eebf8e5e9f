"""What can run a network, one file a library: the rows of ``residua bench``."""
