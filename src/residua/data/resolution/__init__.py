"""Training images that grow in the course of a training: one file each, a frozen spec beside what it does."""
