"""The domain: volumes, curves, vertebrae and grades as numbers; no DICOM, no networks."""
