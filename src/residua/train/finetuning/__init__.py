"""Fine-tuning: one file each, a frozen spec that says what of a trained network learns when, and at which rate."""
