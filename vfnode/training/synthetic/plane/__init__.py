"""The two-dimensional generator: sagittal images drawn with known keypoints."""
