"""Notebooks run for a branch, and made into what a manager receives: a page, a workbook and the chain of hashes."""

__all__ = ["Engine"]


class Engine:
    """papermill's engine ``ebank``: a notebook's cells run in this process, without a kernel.

    What it does is loaded when it is first used: papermill asks for its engines while it is itself being imported.
    """

    @staticmethod
    def execute_notebook(*given, **options):
        """Run a notebook; see :class:`ebank_lib.reports.notebook.InProcessEngine`."""
        from .notebook import InProcessEngine

        return InProcessEngine.execute_notebook(*given, **options)
