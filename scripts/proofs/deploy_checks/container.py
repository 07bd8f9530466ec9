"""Containers of an image by runc, as an engine with a careful operator starts them."""
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

START_SECONDS = 30


def runtime_configuration(root, image, environment, mounts, command):
    """The OCI runtime's words for: the image's user and folder; nothing may write but to the mounts; no capability."""
    user, _, group = image["User"].partition(":")
    binds = [{"destination": where, "source": str(source), "type": "bind", "options": ["rbind", *options]}
             for where, (source, *options) in mounts.items()]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": int(user), "gid": int(group)},
            "args": command,
            "env": image["Env"] + [f"{name}={value}" for name, value in environment.items()],
            "cwd": image["WorkingDir"],
            "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")},
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": True},
        "hostname": "kwta",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
            *binds,
        ],
        # The network is the caller's.
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


class Container:
    """A container of the image whose files are in `root` and whose configuration is `image`. `mounts`: {where: (source, option...)}.
    It runs the image's own command or `command`."""

    count = 0

    def __init__(self, work, root, image, environment=None, mounts=None, command=None):
        Container.count += 1
        self.name = f"kwta-proof-{os.getpid()}-{Container.count}"
        self.image = image
        self.bundle = work / self.name
        self.bundle.mkdir()
        configuration = runtime_configuration(root, image, environment or {}, mounts or {}, command or image["Entrypoint"])
        (self.bundle / "config.json").write_text(json.dumps(configuration))
        self.log_path = self.bundle / "log"
        self.start = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(["runc", "run", "--bundle", self.bundle, self.name], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def milliseconds_until_ready(self, url="http://127.0.0.1:8501/readyz"):
        """Waits until the server takes calls and returns how long after the start of the container that was."""
        while time.monotonic() < self.start + START_SECONDS:
            try:
                with urllib.request.urlopen(url, timeout=1) as answer:
                    if answer.status == 200:
                        return (time.monotonic() - self.start) * 1000
            except (urllib.error.URLError, OSError):
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        raise RuntimeError(f"the container is not ready:\n{self.log()[-3000:]}")

    def execute(self, *words):
        """Runs a command in the container, as its user, and returns its status and what it says."""
        done = subprocess.run(["runc", "exec", self.name, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        return done.returncode, done.stdout

    def kwta(self, *words):
        status, said = self.execute("kwta", *words)
        if status != 0:
            raise RuntimeError(f"kwta {' '.join(map(str, words))} ended with {status}:\n{said[-3000:]}\n{self.log()[-3000:]}")
        return said

    def healthy(self):
        """Whether the image's own health check says so."""
        return self.execute(*self.image["Healthcheck"]["Test"][1:])[0] == 0

    def send(self, name):
        """Sends a signal, such as SIGTERM."""
        subprocess.run(["runc", "kill", self.name, str(int(getattr(signal, name)))], capture_output=True)

    def stop(self):
        """Sends the image's signal to stop, as engines do, and returns the server's status."""
        self.send(self.image["StopSignal"])
        return self.wait()

    def wait(self, seconds=60):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.send("SIGKILL")
            self.process.wait()
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.wait(0)
        subprocess.run(["runc", "delete", "--force", self.name], capture_output=True)
