"""The project's images as they are built: what is in them and what is not, that they start, that builds repeat."""

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.lab.base_images import BuildError, images_folder
from tests.lab.image_files import archive_of_program, configuration, files, image_id, layers
from tests.lab.images import IMAGES, build_images
from tests.lab.machine import alive, processes_of
from tests.lab.namespaces import descendants
from tests.lab.wheelhouse import ROOT
from tests.polling import until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(1200)]

LARGEST_MEGABYTES = {"service": 140, "service-1.1": 140, "healerd": 270, "tui": 370, "bastion": 400}
UNWANTED = {
    "service": ("kubernetes", "textual", "selfheal_core", "aiohttp"),
    "service-1.1": ("kubernetes", "textual", "selfheal_core", "aiohttp"),
    "healerd": ("textual", "quart", "uvicorn", "selfheal_tui", "selfheal_cli"),
    "tui": ("quart", "uvicorn", "healerd", "selfheal_service", "selfheal_sandbox"),
    "bastion": ("quart", "uvicorn", "healerd", "selfheal_service", "selfheal_sandbox"),
}
CHROOT = shutil.which("chroot") or "chroot"
KEYS = tuple(image.key for image in IMAGES)
SECONDS = 10.0


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources as they are now: what is edited while the tests run is in none of the images."""
    folder = tmp_path_factory.mktemp("sources") / "context"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "tests", "docs"))
    shutil.copy(ROOT / ".dockerignore", folder)
    return folder


@pytest.fixture(scope="session")
def archives(context: Path) -> Mapping[str, Path]:
    return build_images(print, context=context)


@pytest.fixture(scope="module")
def root(
    archives: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """The root file system of the image that the test's parameter names; tests of the same one share it."""
    folder = tmp_path_factory.mktemp("root")
    for layer in layers(archives[request.param]):
        with tarfile.open(fileobj=layer) as content:
            content.extractall(folder, numeric_owner=True, filter="fully_trusted")
    yield folder
    shutil.rmtree(folder)


def modules(archive: Path) -> set[str]:
    """Names of what Python can import beside its library."""
    paths = [path.split("/") for path in files(archive)]
    return {
        parts[at + 1]
        for parts in paths
        for at, part in enumerate(parts[:-1])
        if part in ("site-packages", "dist-packages", "app")
    }


@pytest.mark.parametrize("key", KEYS)
def test_an_image_holds_its_program_and_none_of_another(key: str, archives: Mapping[str, Path]) -> None:
    found = modules(archives[key])

    assert not found & set(UNWANTED[key])
    assert len(found) > 10


@pytest.mark.parametrize("key", KEYS)
def test_an_image_holds_no_installer_and_no_cache(key: str, archives: Mapping[str, Path]) -> None:
    inside = files(archives[key])
    kept = [
        path
        for path, entry in inside.items()
        if path.startswith(("var/cache/", "var/log/", "root/", "tmp/")) and entry.isfile() and entry.size
    ]

    assert kept == []
    assert not {"pip", "ensurepip", "setuptools"} & modules(archives[key])
    installers = [path for path in inside if path.rpartition("/")[2] in ("pip", "pip3", "apt", "apt-get")]
    assert [path for path in installers if not inside[path].isdir()] == []
    assert [path for path in inside if path.endswith(".whl")] == []


@pytest.mark.parametrize("key", KEYS)
def test_an_image_is_no_larger_than_it_has_to_be(key: str, archives: Mapping[str, Path]) -> None:
    size = archives[key].stat().st_size / 1e6
    print(f"{key}: {size:.0f} MB")

    assert size < LARGEST_MEGABYTES[key]


@pytest.mark.parametrize("key", [key for key in KEYS if key != "bastion"])
def test_an_image_runs_as_a_numeric_user(key: str, archives: Mapping[str, Path]) -> None:
    assert configuration(archives[key])["config"]["User"] == "65532:65532"


def test_two_versions_of_the_service_differ_in_their_configuration_alone(archives: Mapping[str, Path]) -> None:
    old, new = configuration(archives["service"]), configuration(archives["service-1.1"])

    assert old["rootfs"] == new["rootfs"]
    assert "SELFHEAL_SERVICE_VERSION=1.1" in new["config"]["Env"]


@pytest.mark.parametrize(
    ("root", "program"),
    [
        ("service", "selfheal-service"),
        ("healerd", "healerd"),
        ("tui", "selfheal-tui"),
        ("tui", "selfheal"),
        ("bastion", "selfheal-tui"),
    ],
    indirect=["root"],
)
def test_each_program_starts(root: Path, program: str) -> None:
    environment = {
        "PATH": "/opt/selfheal/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": "/opt/selfheal/app",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [CHROOT, "--userspec=65532:65532", str(root), f"/opt/selfheal/bin/{program}", "--help"]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize("root", ["bastion"], indirect=True)
def test_sshd_of_the_bastion_takes_its_settings(root: Path, tmp_path: Path) -> None:
    key = root / "etc/key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=20)
    (root / "run/sshd").mkdir(parents=True)
    command = [CHROOT, str(root), "/usr/sbin/sshd", "-T", "-f", "/etc/selfheal/sshd_config", "-h", "/etc/key"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 0, done.stderr
    wanted = {
        "disableforwarding yes",
        "permittunnel no",
        "permituserrc no",
        "permituserenvironment no",
        "passwordauthentication no",
        "permitrootlogin no",
        "forcecommand /opt/selfheal/bin/selfheal-session",
    }
    assert wanted <= set(done.stdout.splitlines())


def test_a_build_from_scratch_gives_the_same_image(archives: Mapping[str, Path], context: Path, tmp_path: Path) -> None:
    again = tmp_path / "selfheal/lab/images"
    again.mkdir(parents=True)
    for made in images_folder().iterdir():
        if made.name.startswith(("base-", "wheels-")):
            (again / made.name).symlink_to(made)

    rebuilt = build_images(print, keys=["healerd"], environ={"XDG_CACHE_HOME": str(tmp_path)}, context=context)

    assert image_id(rebuilt["healerd"]) == image_id(archives["healerd"])


def test_a_build_that_is_killed_leaves_no_process() -> None:
    program = "from tests.lab.base_images import run_build; run_build(['sh', '-c', 'sleep 300 & wait'], 'it')"
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as building:
        until(lambda: "sleep" in map(name, descendants(building.pid)), SECONDS, "the build begins")
        begun = processes_of(building.pid)
        building.kill()

    until(lambda: not alive(begun), SECONDS, lambda: f"left: {alive(begun)}")


def name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # it has just ended
        return ""


def test_a_build_that_fails_says_why_and_leaves_nothing(
    archives: Mapping[str, Path], context: Path, tmp_path: Path
) -> None:
    broken, cache = tmp_path / "context", tmp_path / "cache"
    folder = cache / "selfheal/lab/images"
    folder.mkdir(parents=True)
    for made in images_folder().iterdir():
        if made.name.startswith(("base-", "wheels-")):
            (folder / made.name).symlink_to(made)
    shutil.copytree(context, broken)
    with (broken / "requirements/service.txt").open("a") as lock:
        lock.write("nonsense==1.0 --hash=sha256:" + "0" * 64 + "\n")
    before = {path.name for path in folder.iterdir()}
    (folder / ".buildah-of-a-build-that-was-killed/overlay").mkdir(parents=True)

    with pytest.raises(BuildError, match=r"selfheal-service:1.0 was not built: .*nonsense==1.0"):
        build_images(print, keys=["service"], environ={"XDG_CACHE_HOME": str(cache)}, context=broken)

    assert {path.name for path in folder.iterdir()} - {"lock"} == before
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()


def test_a_program_packed_twice_is_the_same_image(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")

    first = archive_of_program(program, "registry.lab/p:1", tmp_path / "1.tar", arguments=["--x"])
    second = archive_of_program(program, "registry.lab/p:1", tmp_path / "2.tar", arguments=["--x"])

    assert first.read_bytes() == second.read_bytes()
    assert configuration(first)["config"]["Entrypoint"] == ["/bin/program", "--x"]
    assert files(first)["bin/program"].mode == 0o755
