"""Evaluation of analyses: data sets with known truth, figures, and the page of both."""
