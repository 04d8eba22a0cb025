"""The commands of the how-to pages run as they are written; the tutorial has a file of its own."""

import re

import pytest

from tests.e2e.documents.reader import Reader, failures, page_commands, said

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

QUICK = "autoscaling.enabled=false,minReadySeconds=0,shutdown.preStopSleepSeconds=0,shutdown.drainSeconds=1"


def test_the_sandbox_pages_break_things_and_keep_what_was_there(reader: Reader) -> None:
    """Both pages in one sandbox: what heals is watched before the first page's end forgets it."""
    sandbox = page_commands("how-to/work-with-the-sandbox.md")
    stop = sandbox.index("selfheal-sandbox status")

    steps = reader.types(*sandbox[:stop], *page_commands("how-to/watch-it-fail.md"), *sandbox[stop:], seconds=150)

    assert [(step.command, step.code) for step in failures(steps)] == [
        ("selfheal break app-a -n demo --fault crash", 1),  # the preview, which sends nothing
    ]
    assert "Ready" in said(steps, "kubectl get nodes")
    assert '"service":"app-a"' in said(steps, "curl")
    assert said(steps, "kubectl --kubeconfig $viewer auth can-i").startswith("no")
    assert "MISSING" in said(steps, "selfheal doctor").upper()
    assert "not allowed to patch deployments.apps" in said(steps, "selfheal restart app-a --kubeconfig $viewer")
    assert "RECOVERED" in said(steps, "selfheal break app-a -n demo --fault crash --yes")
    assert "RECOVERED" in said(steps, "selfheal rollback app-a")
    assert "RECOVERED" in (reader.folder / "break.log").read_text()
    assert "nodes ready   3 of 3" in said(steps, "selfheal-sandbox status")
    assert "app-a" in said(steps, "helm list")
    assert "ended" in said(steps, "selfheal-sandbox down --forget")


def test_the_page_of_settings_says_where_each_comes_from(installed: Reader) -> None:
    steps = installed.types(*page_commands("how-to/change-keys-and-settings.md"))
    by_file, by_variable = (step.said for step in steps if step.command.endswith("--print-config"))

    assert failures(steps) == []
    assert re.search(r'^namespace = "payments" +# .*/config.toml$', by_file, re.MULTILINE)
    assert re.search(r'^namespace = "checkout" +# SELFHEAL_NAMESPACE$', by_variable, re.MULTILINE)
    assert 'describe = ["D"]' in by_file
    assert "selfheal" in said(steps, "kubectl selfheal --version")


def test_the_pipeline_page_previews_then_acts(installed: Reader) -> None:
    home = installed.environment["HOME"]
    chart = f"chart/service -n payments --create-namespace --set {QUICK}"
    before = (
        "selfheal-sandbox up --detach --speed 20",
        f"mkdir {home}/.kube && ln -s $(selfheal-sandbox kubeconfig) {home}/.kube/config",
        f"helm install app-a {chart} --wait",
        f"helm upgrade app-a {chart} --set image.tag=9.9",
    )

    steps = installed.types(*before, *page_commands("how-to/use-in-a-pipeline.md"))

    assert [(step.command, step.code) for step in failures(steps)] == [
        ("selfheal rollback app-a --namespace payments", 1)
    ]
    assert "nothing was sent" in failures(steps)[0].said
    for verb in ("selfheal rollback app-a --namespace payments --to", "selfheal restart", "selfheal kill"):
        assert "RECOVERED" in said(steps, verb)
    assert re.search(r"payments +app-a +healthy", said(steps, "selfheal-tui --once"))
    assert '"takenAt"' in said(steps, "selfheal-tui --json")


def test_the_page_for_a_service_of_your_own_brings_one_up(installed: Reader) -> None:
    up = ("selfheal-sandbox up --detach --speed 20", "export KUBECONFIG=$(selfheal-sandbox kubeconfig)")

    steps = installed.types(*up, *page_commands("how-to/your-own-service.md"))

    assert failures(steps) == []
    assert "successfully rolled out" in said(steps, "kubectl rollout status")
    assert re.search(r"shop +shop +healthy +2/2", said(steps, "selfheal-tui --once"))


def test_the_page_about_a_crash_loop_reads_one_and_ends_it(installed: Reader) -> None:
    up = ("selfheal-sandbox up --detach --speed 20", "export KUBECONFIG=$(selfheal-sandbox kubeconfig)")

    steps = installed.types(*up, "selfheal demo install", *page_commands("how-to/read-a-crash-loop.md"))

    assert failures(steps) == []
    assert "SELFHEAL_SERVICE_PROT" in said(steps, "selfheal explain")
    assert "SELFHEAL_SERVICE_PROT" in said(steps, "kubectl logs")
    assert "RECOVERED" in said(steps, "selfheal rollback")


def test_the_cluster_page_installs_healerd_dry_and_then_in_earnest(installed: Reader) -> None:
    up = ("selfheal-sandbox up --detach --speed 20", "export KUBECONFIG=$(selfheal-sandbox kubeconfig)")
    # Images are built and pushed where there is a container engine; the sandbox has them.
    commands = [line for line in page_commands("how-to/install-on-a-cluster.md") if not line.startswith("docker")]

    steps = installed.types(*up, *commands)

    assert failures(steps) == []
    assert "STATUS: deployed" in said(steps, "helm install healerd")
    assert "STATUS: deployed" in said(steps, "helm upgrade healerd")


def test_the_bastion_page_installs_without_root(newcomer: Reader) -> None:
    up = (
        f"{newcomer.folder.with_name('clone')}/.venv/bin/selfheal-sandbox up --detach",
        f"export KUBECONFIG=$({newcomer.folder.with_name('clone')}/.venv/bin/selfheal-sandbox kubeconfig)",
    )

    steps = newcomer.types(*up, *page_commands("how-to/bastion.md"), seconds=170)

    assert failures(steps) == []
    assert "selfheal" in said(steps, "~/selfheal/bin/selfheal --version")
    assert "ok      cluster" in said(steps, "~/selfheal/bin/selfheal doctor")
