"""The programs of PostgreSQL and the folder of one server."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cabstand.errors import TaskError

MASTER = "cabstand"  # the master user of infra/modules/tracking


def programs() -> Path | None:
    """Return the folder of PostgreSQL's newest programs, or None where they are not installed."""
    known = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    known += map(Path, os.environ.get("PATH", "").split(os.pathsep))
    return next((folder for folder in known if all((folder / name).exists() for name in ("initdb", "postgres"))), None)


def account() -> str | None:
    """Return the user to run as, if this process is root's, whom PostgreSQL refuses: its own user, or nobody."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def make_folder(link: Path) -> Path:
    """Make a server's folder at `link`; as root, a temporary folder that another user can reach, and a link to it."""
    user = account()
    if link.exists():
        return link.resolve()
    link.unlink(missing_ok=True)  # of a kept stack whose temporary folder was cleared
    if user is None:
        link.mkdir(parents=True)
        return link
    folder = Path(tempfile.mkdtemp(prefix="cabstand-postgres-"))
    shutil.chown(folder, user)
    link.symlink_to(folder)
    return folder


@dataclass(frozen=True)
class Server:
    """One server: its folder, its port and the programs that run it."""

    folder: Path
    port: int
    programs: Path

    @property
    def data(self) -> Path:
        """Folder of the databases."""
        return self.folder / "data"

    @property
    def command(self) -> list[str]:
        """The command that serves on the loopback interface alone; SIGINT stops it without waiting for clients."""
        # Durability is not needed: what is lost with the machine is made again.
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.data), *words]

    def is_ready(self) -> bool:
        """Whether it takes connections: it listens before it does, longer so after a crash."""
        try:
            return "ready" in (self.data / "postmaster.pid").read_text(encoding="utf-8").split()
        except OSError:
            return False

    def prepare(self, password: str) -> None:
        """Make the databases' folder and the master user, if they do not exist yet, and set the master's password."""
        if not (self.data / "PG_VERSION").exists():
            self._run(["initdb", "-D", str(self.data), "-U", "super", "-A", "trust", "--no-sync"], "")
            # The superuser has no password, so nobody can log in as it.
            (self.data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
        # Without a server: the only session, in which statements end with their line.
        quoted = password.replace("'", "''")
        statements = f"""
            DO $$ BEGIN CREATE ROLE {MASTER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$
            ALTER ROLE {MASTER} CREATEDB CREATEROLE PASSWORD '{quoted}'
        """
        self._run(["postgres", "--single", "-D", str(self.data), "postgres"], statements)

    def _run(self, words: Sequence[str], given: str) -> None:
        done = subprocess.run(
            [str(self.programs / words[0]), *words[1:]],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            user=account(),
            timeout=120,
        )
        if done.returncode != 0 or "ERROR:" in done.stderr:
            raise TaskError(f"{words[0]}: {' '.join(done.stderr.split())[-400:]}", where=self.folder)
