"""ebank: from a bank branch's monthly e-banking workbooks to an honest forecast and a strategy.

The public verbs stand in ``__init__.pyi``; each is loaded when it is first used, so that the import is quick.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
