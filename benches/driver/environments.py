"""What the contenders run in, each made once under target/bench, apart from the project's own .venv.

- tensorflow, jax: a Python environment each, from benches/peers/requirements-NAME.txt.
- torch: the same; torch itself, which takes 5 GB, is the package that scripts/setup installed from
  scripts/requirements.txt. So torch and this project's engine `libtorch` run the very same library.
- ours: `cargo bench`, in the profile in which everything here is built.
- burn-flex, burn-cpu: benches/peers/burn by `cargo build --release --locked`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from . import places


class Unavailable(Exception):
    """Why contenders of an environment cannot run."""


def programs(names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The program that starts the contenders of each environment, and why others have none."""
    found, missing = {}, {}
    for name in dict.fromkeys(names):
        try:
            found[name] = program(name)
        except Unavailable as why:
            missing[name] = str(why)
    return found, missing


def program(name: str) -> str:
    if name == "ours":
        return contender()
    if name.startswith("burn-"):
        return burn(name.removeprefix("burn-"))
    return python(name)


def contender() -> str:
    command = ["cargo", "bench", "--no-run", "--quiet", "--profile", "dev", "--bench", "contender"]
    messages = run([*command, "--message-format", "json"], "cargo bench", stderr=None)
    for message in map(json.loads, messages.splitlines()):
        if message.get("target", {}).get("name") == "contender" and message.get("executable"):
            return message["executable"]
    raise Unavailable("cargo built no benches/contender")


def burn(backend: str) -> str:
    print(f"bench: building Burn's contender with its backend {backend} ...", file=sys.stderr)
    target = places.MADE / f"burn-{backend}"
    manifest = places.PEERS / "burn" / "Cargo.toml"
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", str(manifest)]
    command += ["--no-default-features", "--features", backend, "--target-dir", str(target)]
    run(command, "cargo build")
    return str(target / "release" / "burn-contender")


def python(name: str) -> str:
    folder = places.ENVIRONMENTS / name
    interpreter = folder / "bin" / "python"
    requirements = places.PEERS / f"requirements-{name}.txt"
    installed = folder / "requirements.installed"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        print(f"bench: installing {name} into {folder.relative_to(places.ROOT)} ...", file=sys.stderr)
        run([sys.executable, "-m", "venv", "--clear", str(folder)], "venv")
        run([str(interpreter), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)], "pip")
        if name == "torch":
            borrow_torch(folder)
        installed.write_text(requirements.read_text())
    return str(interpreter)


def borrow_torch(folder: Path) -> None:
    packages = (places.ROOT / ".libtorch").resolve().parent
    if not (packages / "torch" / "__init__.py").exists():
        raise Unavailable(".libtorch is libtorch alone: torch's contenders need its Python package")
    [own] = folder.glob("lib/python3*/site-packages")
    (own / "checkout.pth").write_text(f"{packages}\n")
    # Fails here rather than later if torch was made for another Python.
    run([str(folder / "bin" / "python"), "-c", "import torch"], "import torch")


def run(command: list[str], what: str, stderr: int | None = subprocess.PIPE) -> str:
    done = subprocess.run(command, cwd=places.ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True)
    if done.returncode != 0:
        lines = [line for line in (done.stderr or "").splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("error", "caused by"))] or lines
        raise Unavailable(f"{what}: {'; '.join(errors[:2]) or 'failed'}")
    return done.stdout


def variables(threads: int) -> dict[str, str]:
    """The environment of all contenders: the same number of threads for all, no GPU, and nothing written
    outside target/bench."""
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(counts, str(threads)),
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "RUST_BACKTRACE": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_HOME": str(places.MADE / "keras"),
        "TORCHINDUCTOR_CACHE_DIR": str(places.MADE / "inductor"),
    }
