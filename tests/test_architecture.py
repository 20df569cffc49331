"""What the house promises about its own code, checked. The directions of imports stand in .importlinter."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import os
import re
import socket
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = sorted([*ROOT.glob("registry/**/*.py"), *ROOT.glob("feeds/**/*.py")])
PYTHON = sorted([*PRODUCT, *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")])
LONGEST_MODULE = 400

# What a package may import, besides the standard library. `.importlinter` says which way imports point; this says
# that nothing new comes in by the side.
ALLOWED_IMPORTS = {
    "registry/domain": {"registry.domain", "pydantic", "pydantic_core", "iso3166"},
    "registry/tables": {"registry.tables", "registry.domain", "sqlalchemy"},
    "feeds": {"feeds", "feedgen", "icalendar", "lxml"},
}
# Parts of the standard library by which a decision would reach out into the world.
WORLD = {"asyncio", "http", "os", "shutil", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "time"}
CLOCK_READINGS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}

# Folders of tools, and what an operator keeps.
NOT_OURS = {"build", "dist", "htmlcov", "instance", "node_modules", "__pycache__"}
OUR_HIDDEN_FOLDERS = {".ci", ".github"}
# Put together here, so that this list is not itself found.
PACKAGE_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("anaconda", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("jsdelivr", "net"),
        ("unpkg", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
    )
]


def place(path: Path, line: int | None = None) -> str:
    shown = path.relative_to(ROOT).as_posix()
    return shown if line is None else f"{shown}:{line}"


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:  # a relative import stays in its package
            yield node.lineno, node.module or ""


def repository_files() -> Iterator[Path]:
    for folder, below, files in os.walk(ROOT):
        below[:] = [
            name
            for name in below
            if name not in NOT_OURS
            and not name.endswith(".egg-info")
            and (not name.startswith(".") or name in OUR_HIDDEN_FOLDERS)
        ]
        yield from (Path(folder) / name for name in files)


def test_importing_the_whole_domain_loads_no_framework_no_database_and_no_network_client() -> None:
    script = (
        "import importlib, pkgutil, sys, registry.domain as domain\n"
        "names = [found.name for found in pkgutil.walk_packages(domain.__path__, 'registry.domain.')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(len(names), *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    count, *loaded = done.stdout.split()
    assert int(count) == len([path for path in ROOT.glob("registry/domain/**/*.py") if path.name != "__init__.py"])
    unwanted = {"flask", "werkzeug", "jinja2", "sqlalchemy", "alembic", "requests", "urllib3", "smtplib", "apscheduler"}
    assert unwanted & set(loaded) == set()


@pytest.mark.parametrize("package", ALLOWED_IMPORTS)
def test_a_pure_package_imports_only_what_is_listed_for_it(package: str) -> None:
    forbidden = WORLD if package == "registry/domain" else set()
    allowed = ALLOWED_IMPORTS[package] | (sys.stdlib_module_names - forbidden)
    wrong = [
        f"{place(path, line)} imports {module}"
        for path in PRODUCT
        if place(path).startswith(f"{package}/")
        for line, module in imported_modules(path)
        if not any(module == name or module.startswith(f"{name}.") for name in allowed)
    ]
    assert wrong == [], "pass the value in from a step instead, or list the library here with a reason"


def test_the_clock_is_read_in_one_place() -> None:
    wrong = [
        f"{place(path, node.lineno)} calls {reading}"
        for path in PRODUCT
        if path != ROOT / "registry" / "clock.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for reading in [".".join(ast.unparse(node.func).split(".")[-2:])]
        if reading in CLOCK_READINGS
    ]
    assert wrong == [], "take `now` as an argument; entry points call registry.clock.now (R37)"


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    long = {
        place(path): lines
        for path in PRODUCT
        if "registry/migrations/" not in place(path)
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_MODULE
    }
    assert long == {}, "split the module by noun"


def test_no_module_is_named_for_being_useful() -> None:
    vague = {"util", "utils", "helper", "helpers", "common", "misc"}
    assert [place(path) for path in PYTHON if vague & {path.stem, *path.relative_to(ROOT).parts}] == []


def test_no_class_is_named_for_doing_something_to_something() -> None:
    wrong = [
        f"{place(path, node.lineno)} {node.name}"
        for path in PYTHON
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Manager", "Handler", "Processor"))
    ]
    assert wrong == [], "name the class after what it is"


def test_every_silenced_check_says_why() -> None:
    silencing = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no cover)")
    # First the name of the rule, then a reason of two words at the least.
    explained = re.compile(r"#\s*(noqa:|type:\s*ignore\[|pragma:\s*no cover)[^#]*?[\s\]](#|--|-|–|—|:)\s*\S+\s+\S+")
    wrong = [
        f"{place(path, token.start[0])} {token.string}"
        for path in PYTHON
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        if token.type == tokenize.COMMENT and silencing.search(token.string) and not explained.search(token.string)
    ]
    assert wrong == [], "write the reason behind it: # noqa: S603  # a fixed command, no shell"


def test_no_file_names_a_host_of_packages() -> None:
    wrong = []
    for path in repository_files():
        try:
            text = path.read_text(encoding="utf-8").lower()
        except UnicodeDecodeError:
            continue
        wrong += [f"{place(path)} names {host}" for host in PACKAGE_HOSTS if host in text]
    assert wrong == [], "where packages come from is for the reader's own configuration to say"


@pytest.mark.parametrize(("lock", "extras"), [("requirements.lock", []), ("requirements-dev.lock", ["dev"])])
def test_the_lock_holds_every_dependency_with_hashes(lock: str, extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", each)[0]).lower() for each in wanted}
    pinned = re.findall(
        r"^([a-z0-9-]+)==\S+[^\\\n]*\\\n    --hash=sha256:[0-9a-f]{64}", (ROOT / lock).read_text(), re.M
    )
    assert names - set(pinned) == set(), "run `make lock`"
    assert len(pinned) == len(re.findall(r"^[a-z]", (ROOT / lock).read_text(), re.M)), "a pin without a hash"


def test_a_test_that_reaches_beyond_this_machine_fails_even_where_errors_are_caught() -> None:
    with (
        pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"),
        contextlib.suppress(Exception),
        socket.create_connection(("192.0.2.1", 9)),
    ):
        pytest.fail("the connection was made")
    with pytest.raises(pytest.fail.Exception, match=r"peer\.example"):
        socket.getaddrinfo("peer.example", 443)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"),
    ):
        datagrams.sendto(b"", ("192.0.2.1", 9))


def test_a_test_may_speak_to_a_peer_on_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(("localhost", server.getsockname()[1])) as client:
            client.sendall(b"hello")
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(5) == b"hello"


@pytest.mark.parametrize("folder", ["registry/web/static", "tests/browser/vendor"])
def test_what_was_taken_from_others_is_what_they_published(folder: str) -> None:
    for line in (ROOT / folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        expected, name = line.split()
        assert hashlib.sha256((ROOT / folder / name).read_bytes()).hexdigest() == expected, name
