"""The command that compares a report, or a whole run, with the hashes it was written with."""

from __future__ import annotations

import argparse

__all__ = ["add_options", "verify"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ebank verify``."""
    parser.add_argument("folder", metavar="DIR", help="a report's folder, or the output folder of a run")
    parser.add_argument("--source", metavar="S", help="the source (default: the one that run.json names, if at hand)")


def verify(options: argparse.Namespace) -> int:
    """Name what does not agree."""
    from ..reports.seal import verify as compare
    from ..wording import has, t, use_language

    use_language(options.lang)
    verdicts = compare(options.folder, options.source)
    for verdict in verdicts:
        folder = verdict.folder.as_posix()
        if verdict.holds:
            print(t("verify.held", options.lang, folder=folder, n=verdict.files))
        else:
            first, *more = verdict.broken
            step = next(key for key in (f"report.step_{first.step}", f"verify.step_{first.step}") if has(key))
            expected, found = (t(f"verify.{said}", options.lang) if has(f"verify.{said}") else said
                               for said in (first.expected, first.found))
            print(t("verify.broken", options.lang, folder=folder, step=t(step, options.lang), file=first.file,
                    expected=expected, found=found))
            if more:
                print(t("verify.more", options.lang, n=len(more), files=", ".join(one.file for one in more[:5])
                        + (" …" if len(more) > 5 else "")))
        for key, values in verdict.remarks:
            print(t(f"verify.{key}", options.lang, **values))
    return 0 if all(verdict.holds for verdict in verdicts) else 1
