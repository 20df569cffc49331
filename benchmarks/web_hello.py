"""Flask's hello world on the server that `registry web` runs on: `python -m benchmarks.web_hello PORT WORKERS`."""

from __future__ import annotations

import sys

from flask import Flask

from registry.cli.serving import make_server

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    """Answer with the words of Flask's own quickstart."""
    return "<p>Hello, World!</p>"


if __name__ == "__main__":
    make_server("benchmarks.web_hello:app", "127.0.0.1", int(sys.argv[1]), int(sys.argv[2])).serve()
