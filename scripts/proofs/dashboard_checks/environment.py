"""The Python environment of the parts that need PyPI: Grafana's types, and matplotlib for the pictures."""
import pathlib
import shutil
import subprocess
import sys

PACKAGES = ("grafana-foundation-sdk==1769699379!11.6.0", "matplotlib==3.10.0", "pillow==11.1.0")
IMPORTS = "import grafana_foundation_sdk.models.dashboard, matplotlib, PIL"


def python(folder):
    """Makes the environment, or finds it made. Returns its Python, or None and says so where PyPI is out of reach."""
    folder = pathlib.Path(folder)
    program = folder / "bin/python"
    if program.exists() and subprocess.run([program, "-c", IMPORTS], capture_output=True).returncode == 0:
        return program
    shutil.rmtree(folder, ignore_errors=True)
    steps = ([sys.executable, "-m", "venv", folder],
             [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "15", *PACKAGES])
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"no environment with {', '.join(PACKAGES)}: {done.stderr.strip()}", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            return None
    return program
