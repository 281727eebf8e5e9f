"""The formats of artifacts, one file each: how a network is written, and what runs it."""
