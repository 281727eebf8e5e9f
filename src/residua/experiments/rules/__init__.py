"""Rules: from what was measured to a verdict."""
