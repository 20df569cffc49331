"""`registry serve`, `web` and `worker` as processes: what they start, answer, write and leave behind."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import requests
from sqlalchemy import make_url

from registry.cli.serving import say_program
from registry.worker import only_worker
from tests.cli.conftest import Terminal, environ_for
from tests.processes import answer_of, children_of, free_port, running, wait_for


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.timeout(60)
def test_a_demo_comes_up_shows_its_lists_writes_its_letters_and_stops_cleanly(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "serve.log"
    environ = {"REGISTRY_INSTANCE": str(tmp_path / "instance")}
    with running(environ, log, "serve", "--demo", "--port", str(port)) as process:
        told = wait_for(lambda: text if "Ctrl-C stops it." in (text := log.read_text()) else None, "banner")
        base = f"http://127.0.0.1:{port}"
        for slug in ("antopsis", "apexstream", "nextapi", "streamonapi"):
            assert f"{base}/{slug}/" in told
            page = requests.get(f"{base}/{slug}/", timeout=5)
            assert page.status_code == 200
            assert "(invented)" in page.text
        assert str(tmp_path / "instance" / "outbox") in told
        assert requests.get(f"{base}/antopsis/feed.atom", timeout=5).status_code == 200
        outbox = tmp_path / "instance" / "outbox"
        letters = wait_for(lambda: found if len(found := list(outbox.glob("*.eml"))) >= 12 else None, "twelve letters")
        recipients = {message_from_bytes(path.read_bytes(), policy=default)["To"] for path in letters}
        assert all(str(recipient).rstrip(">").endswith(".example") for recipient in recipients)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert answer_of(f"http://127.0.0.1:{port}/healthz") is None
    assert "Traceback" not in log.read_text()


@pytest.mark.timeout(60)
def test_if_one_of_the_two_dies_the_other_is_stopped_and_the_exit_code_says_so(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "serve.log"
    environ = {"REGISTRY_INSTANCE": str(tmp_path / "instance")}
    with running(environ, log, "serve", "--port", str(port), "--json") as process:
        wait_for(lambda: '"address"' in log.read_text(), "banner")
        children = children_of(process)
        assert set(children) == {"web", "worker"}
        os.kill(children["web"], signal.SIGKILL)
        assert process.wait(timeout=20) == 1
    assert "the web was killed by signal 9, so everything is stopped" in log.read_text()
    socket.create_server(("127.0.0.1", port)).close()


def test_other_commands_are_named_as_the_shell_that_started_it_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "a venv" / "bin" / "registry"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", [str(program), "serve"])
    assert say_program() == f"'{program}'"
    monkeypatch.chdir(tmp_path / "a venv")
    monkeypatch.setattr("sys.argv", ["bin/registry", "serve"])
    assert say_program() == "bin/registry"
    monkeypatch.setenv("PATH", str(program.parent))
    assert say_program() == "registry"
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", ["/srv/registry/cli/__main__.py", "serve"])
    assert say_program() == "registry"


def test_a_port_in_use_is_said_before_anything_is_started(sqlite_terminal: Terminal, taken_port: int) -> None:
    for command in ("serve", "web"):
        refused = sqlite_terminal.run(command, "--port", str(taken_port), exit_code=2)
        assert f"Port {taken_port} of 127.0.0.1 cannot be used" in refused.stderr
        assert "--port" in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_the_web_takes_its_port_from_the_platform(sqlite_terminal: Terminal, taken_port: int) -> None:
    refused = sqlite_terminal.run("web", exit_code=2, PORT=str(taken_port))
    assert f"Port {taken_port} of 0.0.0.0 cannot be used" in refused.stderr


def test_a_second_worker_on_sqlite_is_refused_with_a_clear_message(sqlite_terminal: Terminal) -> None:
    database = make_url(sqlite_terminal.environ["REGISTRY_DATABASE_URL"]).database
    assert database is not None
    with only_worker(Path(database)):
        refused = sqlite_terminal.run("worker", exit_code=2)
    assert f"A worker runs on this database already (process {os.getpid()})" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.timeout(60)
def test_web_and_worker_run_apart_on_a_database_server(postgresql_url: str, tmp_path: Path) -> None:
    port = free_port()
    environ = environ_for(postgresql_url, tmp_path / "instance")
    web_log, worker_log = tmp_path / "web.log", tmp_path / "worker.log"
    with (
        running(environ | {"PORT": str(port)}, web_log, "web", "--host", "127.0.0.1") as web,
        running(environ, worker_log, "worker") as worker,
    ):
        assert wait_for(lambda: answer_of(f"http://127.0.0.1:{port}/healthz"), "health").status_code == 200
        wait_for(lambda: "worker-started" in worker_log.read_text(), "worker")
        worker.send_signal(signal.SIGINT)
        web.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0
        assert web.wait(timeout=20) == 0
    events = [json.loads(line)["event"] for line in worker_log.read_text().splitlines()]
    assert (events[0], events[-1]) == ("worker-started", "worker-stopped")
