"""Prometheus from PATH, from the cache, or out of a Debian package that is what apt says it is."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from selfheal_sandbox.main import main, prometheus_program
from selfheal_sandbox.tools.fetch import FetchError
from selfheal_sandbox.tools.prometheus import available, is_new_enough, parse_package, resolve

NEW = "#!/bin/sh\necho 'prometheus, version 2.42.0+ds (branch: x)'\n"
OLD = "#!/bin/sh\necho 'prometheus, version 2.29.1 (branch: x)'\n"
BROKEN = "#!/bin/sh\nexit 1\n"
PACKAGE = b"a package"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


Apt = Callable[..., None]


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    """A PATH with an apt that knows one package, and a dpkg that unpacks this program out of it."""
    folder = tmp_path / "bin"

    def make(*, sha256: str = hashlib.sha256(PACKAGE).hexdigest(), inside: str = NEW, shows: str = "") -> None:
        described = shows or f"Package: prometheus\nVersion: 2.42.0-1\nSize: {len(PACKAGE)}\nSHA256: {sha256}"
        program(folder / "apt-cache", f"#!/bin/sh\n/bin/cat <<'END'\n{described}\nEND\n")
        program(folder / "apt-get", f"#!/bin/sh\nprintf '%s' '{PACKAGE.decode()}' > prometheus_2.42.0-1_amd64.deb\n")
        programs = "".join(
            f"/bin/cat > $3/usr/bin/{name} <<'END'\n{inside}END\n/bin/chmod 755 $3/usr/bin/{name}\n"
            for name in ("prometheus", "promtool")
        )
        program(folder / "dpkg", f"#!/bin/sh\n/bin/mkdir -p $3/usr/bin\n{programs}")
        monkeypatch.setenv("PATH", str(folder))

    return make


def test_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = program(tmp_path / "bin" / "prometheus", NEW)
    monkeypatch.setenv("PATH", str(found.parent))
    assert resolve(folder=tmp_path / "cache") == found


@pytest.mark.parametrize("text", [OLD, BROKEN, "#!/no/such/interpreter\n"])
def test_what_is_old_or_does_not_run_is_passed_over(tmp_path: Path, text: str) -> None:
    assert not is_new_enough(program(tmp_path / "prometheus", text))


def test_is_taken_out_of_the_package_once(tmp_path: Path, apt: Apt) -> None:
    apt()
    said: list[str] = []
    found = resolve(folder=tmp_path / "cache", say=said.append)
    assert found.read_text() == NEW
    assert len(said) == 1
    assert said[0].startswith("Taking Prometheus 2.42.0-1 from the Debian package")
    assert resolve("promtool", tmp_path / "cache", said.append).name == "promtool"
    assert len(said) == 1


def test_a_program_in_the_cache_that_was_changed_is_not_run(tmp_path: Path, apt: Apt) -> None:
    apt()
    found = resolve(folder=tmp_path / "cache")
    found.write_text("#!/bin/sh\necho stolen\n")
    assert available("prometheus", tmp_path / "cache") is None


def test_a_package_that_is_not_what_apt_describes_is_refused(tmp_path: Path, apt: Apt) -> None:
    apt(sha256="0" * 64)
    with pytest.raises(FetchError, match="is not the file that it describes"):
        resolve(folder=tmp_path / "cache")
    assert not (tmp_path / "cache" / "prometheus").exists()


def test_a_program_that_does_not_run_here_is_refused(tmp_path: Path, apt: Apt) -> None:
    apt(inside=BROKEN)
    with pytest.raises(FetchError, match="does not run here"):
        resolve(folder=tmp_path / "cache")


def test_an_apt_without_the_package_has_a_next_step(tmp_path: Path, apt: Apt) -> None:
    apt(shows="N: no packages found")
    with pytest.raises(FetchError, match="sudo apt-get update"):
        resolve(folder=tmp_path / "cache")


def test_without_apt_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError) as raised:
        resolve(folder=tmp_path / "cache")
    message = str(raised.value)
    assert message.startswith("prometheus missing: ")
    assert message.endswith("put prometheus 2.30 or newer on PATH (https://prometheus.io/download)")
    assert "\n" not in message


def test_only_the_described_fields_make_a_package() -> None:
    with pytest.raises(FetchError):
        parse_package("Version: 1\nSize: many\nSHA256: x\n")


def test_the_sandbox_goes_on_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert prometheus_program("find") is None
    assert capsys.readouterr().err.startswith("Going on without Prometheus: prometheus missing: ")
    assert prometheus_program(None) is None


def test_a_demo_takes_it_only_where_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], apt: Apt
) -> None:
    apt()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert prometheus_program("available") is None
    found = prometheus_program("find")
    assert found == tmp_path / "selfheal" / "tools" / "prometheus"
    capsys.readouterr()
    assert prometheus_program("available") == found
    assert capsys.readouterr() == ("", "")


def test_a_path_that_is_no_program_is_wrong_usage(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["up", "--name", "never-started", f"--prometheus={tmp_path}/none"])
    assert done.exit_code == 2
    assert "is no program" in done.output
