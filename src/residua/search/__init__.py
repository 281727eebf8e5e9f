"""A few trainings within a time, and the best of them that is fast enough. Imported lazily."""
