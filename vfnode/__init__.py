"""vfnode: a DICOM node that finds vertebral compression fractures on CT."""

from importlib.metadata import version

__version__ = version("vfnode")
