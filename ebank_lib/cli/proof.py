"""The command that computes the chain of a report, or of a whole run, again."""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ebank verify``."""
    parser.add_argument("folder", metavar="DIR", help="a report's folder, or the output folder of a run")
    parser.add_argument("--source", metavar="S", help="the source (default: the one that run.json names, if at hand)")


def verify(options: argparse.Namespace) -> int:
    """Name the first link that does not hold."""
    from ..reports.verify import verify as compute
    from ..wording import t, use_language

    use_language(options.lang)
    verdicts = compute(options.folder, options.source)
    for verdict in verdicts:
        folder = verdict.folder.as_posix()
        if verdict.holds:
            print(t("verify.held", options.lang, folder=folder, n=verdict.files, links=verdict.links))
        else:
            first, *more = verdict.broken
            print(t("verify.broken", options.lang, folder=folder, step=_step(first.step, options.lang),
                    file=first.file, expected=_said(first.expected, options.lang),
                    found=_said(first.found, options.lang)))
            if more:
                print(t("verify.more", options.lang, n=len(more), files=", ".join(one.file for one in more[:5])
                        + (" …" if len(more) > 5 else "")))
        for key, values in verdict.remarks:
            print(t(f"verify.{key}", options.lang, **values))
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def _step(step: str, lang: str) -> str:
    from ..wording import has, t

    return t(next(key for key in (f"report.step_{step}", f"verify.step_{step}", "verify.step_other") if has(key)), lang)


def _said(value: str, lang: str) -> str:
    from ..wording import has, t

    return t(f"verify.{value}", lang) if has(f"verify.{value}") else value
