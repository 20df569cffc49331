"""What `benchmarks.web` runs and asks: the product's web, Flask's hello world, nginx, wrk. Each ends in its block."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.places import Place
from benchmarks.rows import Skipped

HERE = "127.0.0.1"
CHECKOUT = Path(__file__).resolve().parent.parent
DEPLOYING = CHECKOUT / "docs" / "deploying.md"
READY_WITHIN = 60.0
STOPS_WITHIN = 20.0
CONNECTIONS = 32
WORKERS = 2
DOCUMENTED = "http://127.0.0.1:8000"
"""Where the configuration in the docs has the web."""


@dataclass(frozen=True)
class Pace:
    """One run of wrk: requests a second, and the milliseconds within which 99 of 100 were answered."""

    requests: float
    p99: float


def need(*tools: str) -> None:
    """Raise `Skipped` where one of these commands is missing, saying how to get it."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise Skipped(f"there is no {' and no '.join(missing)} here (Debian, Ubuntu: apt-get install wrk nginx)")


def wrk(url: str, seconds: float, headers: Mapping[str, str]) -> Pace:
    """Ask for one address as often as it is answered, over 32 connections from one thread."""
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", *given, url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"{url} failed under load:\n{said}")
    requests = re.search(r"Requests/sec:\s+([\d.]+)", said)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    if requests is None or late is None:
        raise RuntimeError(f"wrk said what cannot be read:\n{said}")
    return Pace(float(requests[1]), float(late[1]) * {"us": 0.001, "ms": 1, "s": 1_000}[late[2]])


@dataclass(frozen=True)
class Got:
    """One answer, and how many seconds it took. Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


def get(port: int, target: str, headers: Mapping[str, str] | None = None) -> Got:
    """Ask once."""
    connection = http.client.HTTPConnection(HERE, port, timeout=60)
    began = time.perf_counter()
    try:
        connection.request("GET", target, headers=dict(headers or {}))
        answer = connection.getresponse()
        body = answer.read()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Got(answer.status, named, body, time.perf_counter() - began)
    finally:
        connection.close()


def free_port() -> int:
    """Return a port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def registry_web(place: Place, workers: int = WORKERS) -> Iterator[int]:
    """`registry web` on a place; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "registry.cli", "web", "--port", str(port), "--workers", str(workers)]
    with _running("web", command, place.folder, place.environ, port, "/healthz"):
        yield port


@contextmanager
def hello(folder: Path) -> Iterator[int]:
    """Flask's hello world on the same server, with as many workers; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.web_hello", "hello", str(port), str(WORKERS)]
    with _running("hello", command, folder, {}, port, "/"):
        yield port


@contextmanager
def bare(folder: Path) -> Iterator[int]:
    """A bare function on the same server, with the bytes that `nginx_files` has as files; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.web_hello", "bare", str(port), str(WORKERS), str(folder / "files")]
    with _running("bare", command, folder, {}, port, "/"):
        yield port


@contextmanager
def nginx_files(folder: Path, files: Mapping[str, tuple[bytes, bytes]]) -> Iterator[int]:
    """nginx with `gzip_static`, which has these files (plain and by gzip); gives its port."""
    root = folder / "files"
    root.mkdir()
    for name, (plain, compressed) in files.items():
        (root / name).write_bytes(plain)
        (root / f"{name}.gz").write_bytes(compressed)
    with _nginx(folder, "files", "", f"root {root}; gzip_static on; open_file_cache max=100;") as port:
        yield port


@contextmanager
def nginx_before(folder: Path, web: int) -> Iterator[int]:
    """nginx with the configuration of docs/deploying.md before a web; gives its port."""
    around, inside = read_documented()
    cache = folder / "cache"
    around = around.replace("/var/cache/nginx/registry", str(cache))
    inside = inside.replace(DOCUMENTED, f"http://{HERE}:{web}")
    with _nginx(folder, "before", around.replace(DOCUMENTED.removeprefix("http://"), f"{HERE}:{web}"), inside) as port:
        yield port


@contextmanager
def nginx_cache(folder: Path, files: int) -> Iterator[int]:
    """nginx with as little of a cache as it can have, before the nginx that has the files; gives its port.

    Nothing is decided for a request, nothing grows old, and no header is there but those of a file.
    """
    around = f"proxy_cache_path {folder / 'bare-cache'} levels=1:2 keys_zone=bare:10m use_temp_path=off;"
    inside = (
        f"location / {{ proxy_pass http://{HERE}:{files}; proxy_http_version 1.1; "
        "proxy_set_header Connection ''; proxy_set_header Accept-Encoding gzip; proxy_cache bare; "
        "proxy_cache_key $uri; proxy_cache_valid 200 1h; proxy_ignore_headers Vary; open_file_cache max=1000; }"
    )
    with _nginx(folder, "cache", around, inside) as port:
        yield port


def read_documented() -> tuple[str, str]:
    """Return the two parts of the documented configuration: what stands beside `server`, and what within it."""
    blocks = re.findall(r"```nginx\n(.*?)```", DEPLOYING.read_text(encoding="utf-8"), re.DOTALL)
    if len(blocks) != 1:
        raise RuntimeError(f"{DEPLOYING} has {len(blocks)} configurations of nginx, and one is measured")
    around, found, rest = blocks[0].partition("server {")
    body = rest.rstrip().removesuffix("}")
    if not found:
        raise RuntimeError(f"the configuration in {DEPLOYING} has no server")
    # TLS and names are the reader's own; what is measured is on this machine alone.
    kept = [line for line in body.splitlines() if not re.match(r"\s*(listen|http2|server_name|ssl_\w+)\b", line)]
    return around, "\n".join(kept)


@contextmanager
def _nginx(folder: Path, name: str, around: str, inside: str) -> Iterator[int]:
    port, own = free_port(), folder / f"nginx-{name}"
    own.mkdir()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {own}/{kind};" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    (own / "nginx.conf").write_text(
        f"{user} worker_processes {WORKERS}; daemon off; pid {own}/pid; error_log {own}/errors;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; {temporary}\n"
        f"{around}\nserver {{ listen {HERE}:{port};\n{inside}\n}} }}\n",
        encoding="utf-8",
    )
    command = [str(shutil.which("nginx")), "-c", str(own / "nginx.conf"), "-e", str(own / "errors")]
    with _running(f"nginx-{name}", command, folder, {}, port, "/"):
        yield port


@contextmanager
def _running(
    name: str, command: Sequence[str], folder: Path, environ: Mapping[str, str], port: int, path: str
) -> Iterator[None]:
    """Run a server until the end of the block, and wait first until it answers at a path."""
    around = {each: os.environ[each] for each in ("PATH", "HOME") if each in os.environ}
    log = folder / f"{name}.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            env={**around, "PYTHONPATH": str(CHECKOUT), **environ},
            cwd=CHECKOUT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_for(process, log, port, path)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], log: Path, port: int, path: str) -> None:
    until = time.monotonic() + READY_WITHIN
    while True:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{process.args!r} does not answer: {log.read_text(encoding='utf-8')[-2_000:]}")
        try:
            if get(port, path).status < 500:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
