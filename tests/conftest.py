"""What holds for every test."""

from hypothesis import settings

# No deadline: a slow or busy machine makes a test slow, not wrong.
settings.register_profile("vfnode", deadline=None)
settings.load_profile("vfnode")
