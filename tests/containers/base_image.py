"""The image that the project's own is built on: what its Dockerfile names, from the engine or its registry; where
neither has it, a Debian 12 made by debootstrap from the mirror that this machine's apt uses, under the same name. The
tree is kept as an archive, so that a second time is quick.
"""
import os
import platform
import shutil
import subprocess
import tempfile

from engine import Unavailable

BASE = "debian:bookworm-slim"
SUITE = "bookworm"
PULL_SECONDS_MAX = 60
# As the published image has it: no synchronising of each file, neither manuals nor other languages.
DPKG_SETTINGS = """force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
"""


def mirror():
    """Where this machine's apt has Debian's packages from."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(SUITE)|$(CODENAME)|$(REPO_URI)",
                             "Created-By: Packages"], capture_output=True, text=True).stdout
    for line in listed.splitlines():
        origin, _, codename, address = line.split("|")
        if origin == "Debian" and codename == SUITE:
            return address
    raise Unavailable(f"no registry has {BASE}, and apt knows no mirror of Debian's {SUITE} to make it from")


def make_tree(folder):
    subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, folder, mirror()],
                   check=True, stdout=subprocess.DEVNULL)
    with open(f"{folder}/etc/dpkg/dpkg.cfg.d/image", "w", encoding="ascii") as settings:
        settings.write(DPKG_SETTINGS)
    for waste in ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "var/cache/apt",
                  "var/lib/apt/lists", "var/log"):
        shutil.rmtree(f"{folder}/{waste}", ignore_errors=True)
        os.makedirs(f"{folder}/{waste}")
    os.makedirs(f"{folder}/var/lib/apt/lists/partial")
    os.makedirs(f"{folder}/var/cache/apt/archives/partial")


def make_archive(archive):
    if shutil.which("debootstrap") is None:
        raise Unavailable(f"no registry has {BASE}, and debootstrap is not installed: scripts/setup containers")
    if os.geteuid() != 0:
        raise Unavailable(f"no registry has {BASE}, and only root can make it: run this as root")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="base-", dir=archive.parent) as folder:
        make_tree(folder)
        part = archive.with_suffix(".part")
        subprocess.run(["tar", "--create", "--directory", folder, "--file", part, "."], check=True)
        part.rename(archive)


def provide(engine, folder):
    """Makes sure that the engine has the base. True where it was brought or made, and may be taken away again."""
    if engine.has_image(BASE):
        return False
    try:
        if engine.docker("pull", "--quiet", BASE, check=False, timeout=PULL_SECONDS_MAX).returncode == 0:
            return True
    except subprocess.TimeoutExpired:
        pass
    archive = folder / f"base-{SUITE}-{platform.machine()}.tar"
    if not archive.exists():
        print(f"no registry has {BASE}: debootstrap makes it", flush=True)
        make_archive(archive)
    with open(archive, "rb") as tree:
        engine.docker("import", "-", BASE, stdin=tree)
    return True
