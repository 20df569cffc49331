"""Measure everything: `python -m benchmarks` is `python -m benchmarks.delivery`, then `python -m benchmarks.web`."""

import argparse
import sys

from benchmarks import delivery, web


def main(arguments: list[str] | None = None) -> int:
    """Run both with the same options; `--only NAME` runs the one that has such a measurement. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure delivery and the public web.")
    parser.add_argument("--quick", action="store_true", help="smaller counts and fewer rounds")
    parser.add_argument("--markdown", action="store_true", help="print the tables in Markdown")
    names = [*delivery.MEASUREMENTS, *web.MEASUREMENTS]
    parser.add_argument("--only", action="append", choices=sorted(names), metavar="NAME", help="this one alone")
    given = parser.parse_args(arguments)
    options = [f"--{name}" for name in ("quick", "markdown") if getattr(given, name)]
    code = 0
    for part in (delivery, web):
        only = [name for name in given.only or () if name in part.MEASUREMENTS]
        if only or not given.only:
            code |= part.main([*options, *(word for name in only for word in ("--only", name))])
    return code


if __name__ == "__main__":
    sys.exit(main())
