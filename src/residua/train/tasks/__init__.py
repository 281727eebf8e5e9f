"""Tasks: what is trained and how, one file each."""
