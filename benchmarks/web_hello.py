"""What the front is held to, on the server that `registry web` runs on.

python -m benchmarks.web_hello hello PORT WORKERS          Flask's hello world
python -m benchmarks.web_hello bare PORT WORKERS FOLDER    a bare function with ready bytes: the files of a folder
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from flask import Flask

from registry.cli.serving import make_server

app = Flask(__name__)
FILES: Final = "BENCHMARK_FILES"
"""Environment variable: the folder whose files `bare` has. Every process of the server reads them once."""
_READY: Final[dict[str, bytes]] = {}


@app.get("/")
def hello() -> str:
    """Answer with the words of Flask's own quickstart."""
    return "<p>Hello, World!</p>"


def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the bytes of a file, by gzip. It looks at nothing but the path, so that nothing could be quicker."""
    if not _READY:
        _READY.update({f"/{path.stem}": path.read_bytes() for path in Path(os.environ[FILES]).glob("*.gz")})
    body = _READY.get(environ["PATH_INFO"], b"")
    headers = [("Content-Type", "text/html"), ("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def main() -> None:
    """Serve one of the two on this machine, until somebody ends it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.web_hello",
        description="Serve what the front is held to, on the server that `registry web` runs on.",
        epilog="Example: python -m benchmarks.web_hello hello 8001 2",
    )
    parser.add_argument("what", choices=["hello", "bare"], help="Flask's hello world, or ready bytes")
    parser.add_argument("port", type=int, help="a port of this machine alone")
    parser.add_argument("workers", type=int, help="processes")
    parser.add_argument("folder", nargs="?", help="whose files `bare` has")
    given = parser.parse_args()
    if given.what == "bare" and given.folder is None:
        parser.error("bare needs a folder")
    if given.folder is not None:
        os.environ[FILES] = given.folder
    name = {"hello": "app", "bare": "bare"}[given.what]
    make_server(f"benchmarks.web_hello:{name}", "127.0.0.1", given.port, given.workers).serve()


if __name__ == "__main__":
    main()
