"""A bank branch's monthly e-banking figures, from the printed cell to the manager's page."""

__version__ = "0.1.0"
