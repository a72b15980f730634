"""An application that some sites have on top."""

__version__ = "1.0.0"
