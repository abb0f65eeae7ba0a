"""A release: its notes, and the upload by trusted publishing to an index that behaves like PyPI."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cabstand import __version__
from cabstand.local.gateway import certificate

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = """\
# Changelog
## Unreleased
- Later.

## 0.2.0 - 2026-11-29
### Added
- Canary releases.

## [0.1.0] - 2026-01-02
- First.

[0.1.0]: https://example.org/0.1.0
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    for name in ("dist_files.py", "release_notes.py", "publish", "github-release"):
        (tmp_path / "scripts" / name).write_text((ROOT / "scripts" / name).read_text())
        (tmp_path / "scripts" / name).chmod(0o755)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return version(tmp_path, "0.2.0")


def version(project: Path, number: str) -> Path:
    (project / "pyproject.toml").write_text(f'[project]\nversion = "{number}"\n')
    return project


def notes(project: Path, tag: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(project / "scripts/release_notes.py"), tag]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_notes_are_the_section_of_the_version(project: Path) -> None:
    assert notes(project, "v0.2.0").stdout == "### Added\n- Canary releases.\n"
    assert notes(version(project, "0.1.0"), "v0.1.0").stdout == "- First.\n"


@pytest.mark.parametrize(
    ("number", "tag", "says"),
    [
        ("0.2.0", "v0.2.1", "the tag v0.2.1 is not v0.2.0"),
        ("0.2.0", "0.2.0", "the tag 0.2.0 is not v0.2.0"),
        ("0.3.0", "v0.3.0", "has 0 sections `## 0.3.0 - DATE`"),
        ("0.2", "v0.2", "has 0 sections"),
        ("Unreleased", "vUnreleased", "does not date Unreleased"),
    ],
)
def test_no_notes_no_release(project: Path, number: str, tag: str, says: str) -> None:
    [line] = notes(version(project, number), tag, code=1).stderr.splitlines()
    assert says in line


@pytest.mark.parametrize("name", ["pyproject.toml", "CHANGELOG.md"])
@pytest.mark.parametrize("content", [b"\xff", b"[tool", None])
def test_files_that_cannot_be_read_are_one_line(project: Path, name: str, content: bytes | None) -> None:
    (project / name).unlink()
    if content is not None:
        (project / name).write_bytes(content)
    [line] = notes(project, "v0.2.0", code=1).stderr.splitlines()
    assert line.startswith("release-notes: ")


def test_an_empty_section_is_no_note(project: Path) -> None:
    (project / "CHANGELOG.md").write_text(CHANGELOG.replace("### Added\n- Canary releases.\n", ""))
    assert "says nothing about 0.2.0" in notes(project, "v0.2.0", code=1).stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two files of a release, really built."""
    out = tmp_path_factory.mktemp("dist")
    build = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "sdist",
        "--target",
        "wheel",
        "--directory",
        str(out),
    ]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return out


@pytest.fixture
def built(project: Path, files: Path) -> Path:
    shutil.copytree(files, project / "dist")
    (project / "CHANGELOG.md").write_text(f"## {__version__} - 2026-11-29\n- Ours.\n")
    return version(project, __version__)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[HTTPServer]:
    """A server with TLS, without which uv exchanges no token."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate.make(tmp_path))
    with HTTPServer(ssl_context=context) as server:
        server.expect_request("/_/oidc/audience").respond_with_json({"audience": "pypi"})
        wanted = {"Authorization": "bearer of-the-job"}
        server.expect_request("/github-token", headers=wanted).respond_with_json({"value": "signed.by.github"})
        yield server


def publish(project: Path, index: HTTPServer, code: int = 0) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "ACTIONS_", "UV_"))}
    env |= {
        "UV": str(Path(sys.executable).parent / "uv"),
        "UV_PUBLISH_URL": index.url_for("/legacy/"),
        "GITHUB_ACTIONS": "true",
        "UV_INSECURE_HOST": "localhost",  # the certificate is our own
        "ACTIONS_ID_TOKEN_REQUEST_URL": index.url_for("/github-token?api-version=2.0"),
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
    }
    line = [str(project / "scripts/publish")]
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr


def test_the_files_are_uploaded_with_a_token_that_was_exchanged(built: Path, index: HTTPServer) -> None:
    uploads: list[str] = []

    def upload(request: Request) -> Response:
        assert request.authorization
        assert (request.authorization.username, request.authorization.password) == ("__token__", "pypi-for-minutes")
        uploads.append(str(request.files["content"].filename))
        return Response("")

    minted = {"success": True, "token": "pypi-for-minutes"}
    index.expect_request("/_/oidc/mint-token", json={"token": "signed.by.github"}).respond_with_json(minted)
    index.expect_request("/_/oidc/burn-token").respond_with_json({})
    index.expect_request("/legacy/", method="POST").respond_with_handler(upload)
    publish(built, index)
    assert sorted(re.sub(r"\d+\.\d+\.\d+", "V", name) for name in uploads) == [
        "cabstand-V-py3-none-any.whl",
        "cabstand-V.tar.gz",
    ]
    assert index.log[-1][0].path == "/_/oidc/burn-token"


def test_an_index_that_does_not_trust_us_gets_nothing(built: Path, index: HTTPServer) -> None:
    index.expect_request("/_/oidc/mint-token").respond_with_json({"success": False}, status=403)
    index.expect_request("/legacy/").respond_with_data("", status=500)
    publish(built, index, code=2)
    assert "/legacy/" not in [request.path for request, _ in index.log]


def test_two_versions_in_dist_are_not_published(built: Path, index: HTTPServer) -> None:
    (built / "dist/cabstand-0.0.1-py3-none-any.whl").touch()
    [line] = publish(built, index, code=1).splitlines()
    assert "2 wheels and 1 source distributions" in line


def test_files_of_another_version_are_not_published(built: Path, index: HTTPServer) -> None:
    version(built, "99.0")
    [line] = publish(built, index, code=1).splitlines()
    assert "is not of version 99.0, which pyproject.toml names" in line


def test_a_github_release_has_the_notes_and_the_files_and_can_be_repeated(built: Path) -> None:
    (built / "bin").mkdir()
    gh = built / "bin/gh"
    gh.write_text(
        '#!/bin/bash\necho "$1 $2 $3" >> calls\n'
        '[ "$2" != view ] || exec test -e there\n'
        '[ "$2" != create ] || { touch there; until [ "$1" = --notes-file ]; do shift; done; cp "$2" notes; }\n'
    )
    gh.chmod(0o755)
    env = os.environ | {
        "PATH": f"{built / 'bin'}:{os.environ['PATH']}",
        "TAG": f"v{__version__}",
        "PYTHON": sys.executable,
    }
    for _ in range(2):
        subprocess.run([built / "scripts/github-release"], env=env, check=True)
    assert (built / "notes").read_text() == "- Ours.\n"
    calls = [line.split()[1] for line in (built / "calls").read_text().splitlines()]
    assert calls == ["view", "create", "upload", "view", "upload"]
