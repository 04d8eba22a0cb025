"""Where the bastion's image reads and writes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of the image.

    Attributes:
        operators: Mounted: ``<login>/authorized_keys`` and ``<login>/kubeconfig``.
        host_keys: Mounted: ``ssh_host_*_key``.
        run: Ours, in memory: accounts, keys, kubeconfigs.
        homes: In memory: what the console and helm keep while a login lives.
        journals: Mounted and kept: one folder per login.
        sshd: The empty folder that sshd confines itself to before a login.
    """

    operators: Path = Path("/etc/selfheal/bastion/operators")
    host_keys: Path = Path("/etc/selfheal/bastion/host_keys")
    run: Path = Path("/run/selfheal")
    homes: Path = Path("/home")
    journals: Path = Path("/var/log/selfheal")
    sshd: Path = Path("/run/sshd")

    def kubeconfig(self, login: str) -> Path:
        """Of one operator."""
        return self.run / "operators" / login / "kubeconfig"

    def journal(self, login: str) -> Path:
        """Folder of one operator's journal; its owner is the operator's account, from one start to the next."""
        return self.journals / login
