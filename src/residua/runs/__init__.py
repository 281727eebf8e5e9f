"""The run folder: its layout, logs, checkpoints and how they are read; nobody else knows its files."""
