"""Images by buildah, which needs no container engine, on bases by debootstrap, which need no registry."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCES = pathlib.Path(__file__).resolve().parents[3]
TOOLS = ("buildah", "debootstrap", "runc")
UNTESTED = 77


def run(*command):
    """Runs a command to its end and returns its standard output."""
    done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def need_tools():
    """Ends the program with the status of a skipped test where images cannot be built."""
    missing = [tool for tool in TOOLS if not shutil.which(tool, path="/usr/bin:/usr/sbin:/bin:/sbin")]
    if missing:
        print(f"SKIPPED: there is no {', '.join(missing)}: run scripts/setup --deploy")
        sys.exit(UNTESTED)
    probe = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        print(f"SKIPPED: this machine gives no namespaces: {probe.stderr.strip()}")
        sys.exit(UNTESTED)


def mirror(label):
    """The address from which apt takes this machine's packages."""
    for line in run("apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)").splitlines():
        address, _, named = line.partition(" ")
        if named == label:
            return address
    return None


def base(suite):
    """Returns the name of a slim image of Debian's release `suite`, and makes it if it is not there."""
    name = f"docker.io/library/debian:{suite}-slim"
    if subprocess.run(["buildah", "images", "--quiet", name], capture_output=True).returncode == 0:
        return name
    print(f"{suite}: debootstrap", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder) / "root"
        # debootstrap knows an address of its own, if apt has none.
        run("debootstrap", "--variant=minbase", suite, root, *filter(None, [mirror("Debian")]))
        security = mirror("Debian-Security")
        if security:
            with open(root / "etc/apt/sources.list", "a") as sources:
                sources.write(f"deb {security} {suite}-security main\n")
        for pattern in ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*"):
            for path in root.glob(pattern):
                path.unlink()
        container = run("buildah", "from", "scratch").strip()
        try:
            run("buildah", "copy", "--quiet", container, root, "/")
            run("buildah", "commit", "--quiet", container, name)
        finally:
            run("buildah", "rm", container)
    return name


def build(suite, log):
    """Builds the Dockerfile on `suite` and returns the name of the image. HEALTHCHECK needs Docker's format."""
    name = f"localhost/kwta:{suite}"
    from_image = base(suite)
    print(f"{suite}: buildah, what it says is in {log}", flush=True)
    command = ["buildah", "build", "--isolation", "chroot", "--layers", "--format", "docker", "--build-arg", f"BASE={from_image}",
               "--tag", name, SOURCES]
    with open(log, "wb") as said:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    if done.returncode != 0:
        raise RuntimeError(f"buildah build ended with {done.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
    return name


def configuration(name):
    """What the image says about itself, as Docker's words."""
    return json.loads(run("buildah", "inspect", "--type", "image", name))["Docker"]["config"]


class Mounted:
    """The file system of an image, in `path`. Who writes into it changes this copy alone."""

    def __init__(self, name):
        self.container = run("buildah", "from", "--pull-never", name).strip()
        self.path = pathlib.Path(run("buildah", "mount", self.container).strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run("buildah", "rm", self.container)

    def bytes(self):
        """Bytes of all files, each counted once, as a registry's client unpacks them."""
        return int(run("du", "--summarize", "--bytes", "--one-file-system", self.path).split()[0])
