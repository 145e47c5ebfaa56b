"""How well an analysis measures: data sets with known truth, figures, and the page of both."""
