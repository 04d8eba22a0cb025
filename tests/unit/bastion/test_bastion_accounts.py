import pytest

from bastion.accounts import FIRST_UID, Account, accounts, complaint, group, passwd

BOTH = ("authorized_keys", "kubeconfig")


def test_new_operators_get_numbers_in_their_order() -> None:
    assert accounts(["bob", "alice"], {}) == (Account("alice", FIRST_UID), Account("bob", FIRST_UID + 1))


def test_an_operator_keeps_the_number_that_owns_the_journal() -> None:
    assert accounts(["alice", "bob"], {"bob": 2007}) == (Account("alice", 2008), Account("bob", 2007))


def test_the_number_of_somebody_who_left_is_not_given_again() -> None:
    assert accounts(["carol"], {"alice": 2000, "bob": 2005}) == (Account("carol", 2006),)


def test_a_folder_of_the_system_gives_nobody_its_number() -> None:
    assert accounts(["alice"], {"alice": 0, "lost+found": 0}) == (Account("alice", FIRST_UID),)


def test_accounts_have_no_password_and_a_home_of_their_own() -> None:
    one = [Account("alice", 2000)]

    assert passwd(one, "/home") == "alice:*:2000:2000::/home/alice:/bin/sh\n"
    assert group(one) == "alice:*:2000:\n"


@pytest.mark.parametrize("login", ["alice", "_a", "a-b_c1", "a" * 32])
def test_a_login_with_both_files_is_an_operator(login: str) -> None:
    assert complaint(login, taken=["root"], files=BOTH) == ""


@pytest.mark.parametrize("login", ["Alice", "1a", "a:b", "a\nb", "", "a" * 33, "../x", "-a", "al ice", "alice\n"])
def test_what_is_no_login_is_left_out_and_named(login: str) -> None:
    said = complaint(login, taken=[], files=BOTH)

    assert repr(login) in said
    assert "\n" not in said


def test_a_login_of_the_system_is_left_out() -> None:
    assert "the system has an account of that name" in complaint("sshd", taken=["sshd"], files=BOTH)


@pytest.mark.parametrize(("files", "missing"), [((), "authorized_keys and kubeconfig"), (BOTH[:1], "kubeconfig")])
def test_a_file_that_is_missing_is_named(files: tuple[str, ...], missing: str) -> None:
    assert complaint("alice", taken=[], files=files) == (
        f"operator alice is left out: {missing} missing, empty or not readable in alice/"
    )
