"""The engine of experiments: arms and seeds as cells, rules that judge them, and the store of results."""
