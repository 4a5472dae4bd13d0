"""Serve the InternVL2 model family with an unmodified xinference.

Importing this package loads neither xinference nor an engine. The host comes to know the family
through the import hook in `_autoload`, or through the factory in `extension`.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
