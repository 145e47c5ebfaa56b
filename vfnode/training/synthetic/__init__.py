"""Synthetic CT: anatomy from published statistics, drawn with known keypoints."""
