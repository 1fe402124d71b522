"""Counts to scores: the areas of a confusion matrix, the formulas over them, and how classes are averaged."""
