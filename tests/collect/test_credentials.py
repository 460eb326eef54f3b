"""Who asks: exec plugins that really run, tokens, and impersonation, against a replayed server."""

import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import msgspec
import pytest

from karpenter_check.collect.access import connect
from karpenter_check.collect.kubeconfig import content
from karpenter_check.collect.live import collect_live
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.snapshot import Coverage, Kind, Status
from tests.collect.replay import Replay, an_error

CANARY = "C4naryS3cretThatMustNotBeSeenAnywhere0123456789"
V1 = "client.authentication.k8s.io/v1"
IN_NO_HEADER = "holds characters that no header can hold, such as line breaks or what is no UTF-8"


@pytest.fixture
def cluster() -> Iterator[Replay]:
    with Replay("healthy") as replay:
        yield replay


def a_plugin(folder: Path, script: str) -> Path:
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def an_exec_user(command: Path | str, **more: Any) -> dict[str, Any]:
    """A user as `aws eks update-kubeconfig` writes it, nulls included."""
    return {"exec": {"apiVersion": V1, "command": str(command), "args": None, "env": None, "provideClusterInfo": False, **more}}


def a_credential(token: str, api_version: str = V1) -> str:
    return f"""echo '{{"apiVersion":"{api_version}","kind":"ExecCredential","status":{{"token":"{token}"}}}}'"""


def refusal(kubeconfig: Path, *, request_timeout: float = 5) -> str:
    with pytest.raises(CannotScan) as refused:
        connect(kubeconfig, request_timeout=request_timeout).get("/version")
    return str(refused.value)


def authorizations(cluster: Replay) -> list[str | None]:
    return [request.headers["authorization"] for request in cluster.requests]


def test_a_plugins_token_goes_with_every_request_and_it_is_run_once(cluster: Replay, tmp_path: Path) -> None:
    plugin = a_plugin(tmp_path, f"echo run >> {tmp_path}/runs; {a_credential('from-plugin')}")
    api = connect(cluster.kubeconfig(tmp_path, user=an_exec_user(plugin)))
    assert [api.get("/version").status, api.get("/apis").status] == [200, 200]
    assert authorizations(cluster) == ["Bearer from-plugin"] * 2
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_plugin_is_run_with_its_arguments_and_environment_and_told_who_calls(cluster: Replay, tmp_path: Path) -> None:
    plugin = a_plugin(
        tmp_path, f'echo "$1 $PROFILE" > {tmp_path}/told; echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; {a_credential("t")}'
    )
    user = an_exec_user(plugin, args=["get-token"], env=[{"name": "PROFILE", "value": "prod"}], provideClusterInfo=True)
    config = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "blue"}}]
    connect(cluster.kubeconfig(tmp_path, user=user, cluster={"extensions": config})).get("/version")
    assert (tmp_path / "told").read_text() == "get-token prod\n"
    assert msgspec.json.decode((tmp_path / "info").read_text()) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": cluster.url, "config": {"audience": "blue"}}},
    }


def test_a_plugin_beside_the_kubeconfig_is_found_by_its_relative_path(cluster: Replay, tmp_path: Path) -> None:
    a_plugin(tmp_path, a_credential("t"))
    assert connect(cluster.kubeconfig(tmp_path, user=an_exec_user("./plugin"))).get("/version").status == 200


def test_an_expired_token_is_refreshed_once(cluster: Replay, tmp_path: Path) -> None:
    plugin = a_plugin(
        tmp_path, f"if [ -e {tmp_path}/ran ]; then {a_credential('new')}; else touch {tmp_path}/ran; {a_credential('old')}; fi"
    )
    cluster.let_in_only("Bearer new")
    assert connect(cluster.kubeconfig(tmp_path, user=an_exec_user(plugin))).get("/version").status == 200
    assert authorizations(cluster) == ["Bearer old", "Bearer new"]


def test_a_token_that_is_refreshed_to_itself_is_not_sent_again(cluster: Replay, tmp_path: Path) -> None:
    plugin = a_plugin(tmp_path, f"echo run >> {tmp_path}/runs; {a_credential('old')}")
    cluster.let_in_only("Bearer new")
    api = connect(cluster.kubeconfig(tmp_path, user=an_exec_user(plugin)))
    assert (api.get("/version").status, api.advice) == (401, f"log in again with what exec plugin '{plugin}' uses")
    assert authorizations(cluster) == ["Bearer old"]
    assert (tmp_path / "runs").read_text() == "run\nrun\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'The SSO session has expired.' >&2; exit 255", "failed with exit code 255; run it by hand to see what it says, or log in again"),
        ("exit 1", "failed with exit code 1; run it by hand to see what it says, or log in again"),
        (f"echo {CANARY}", "printed no ExecCredential; run it by hand to see what it prints"),
        ("true", "printed no ExecCredential; run it by hand to see what it prints"),
        ("printf '\\377'", "printed no ExecCredential; run it by hand to see what it prints"),
        ("echo '{}'", "printed no ExecCredential; run it by hand to see what it prints"),
        (f'echo \'{{"apiVersion":"{V1}","kind":"Pod"}}\'', "printed no ExecCredential; run it by hand to see what it prints"),
        (a_credential("t", "client.authentication.k8s.io/v1beta1"), f"speaks another apiVersion than the kubeconfig's {V1}; write the entry anew"),
        (a_credential(""), "gave neither a token nor a client certificate with its key"),
        (a_credential(f"{CANARY} x"), "holds a token with characters that no header can hold"),
    ],
)  # fmt: skip
def test_a_plugin_that_does_not_work_is_one_line_that_names_it(script: str, said: str, cluster: Replay, tmp_path: Path) -> None:
    plugin = a_plugin(tmp_path, script)
    assert refusal(cluster.kubeconfig(tmp_path, user=an_exec_user(plugin))) == f"exec plugin '{plugin}' {said}"
    assert cluster.requests == []


def test_a_plugin_that_fails_says_nothing_itself(cluster: Replay, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plugin = a_plugin(tmp_path, "echo loud; echo louder >&2; exit 1")
    refusal(cluster.kubeconfig(tmp_path, user=an_exec_user(plugin)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "complaint",
    [
        f"401 for dop_v1_{'0123456789abcdef' * 4}",
        "glpat-AbCdEf0123456789xyzA",
        "open https://login.invalid/?code=abcdefghijklmnopqrstuvwxyz0123456789",
        "cannot reach https://jane:hunter2@proxy.corp:3128",
        "Authorization: Basic amFuZTpodW50ZXIy",
        "password hunter2",
        "cannot use $*",
        "cannot use $GREETING",
    ],
)
def test_nothing_of_what_a_failing_plugin_says_is_told(complaint: str, cluster: Replay, tmp_path: Path) -> None:
    plugin = a_plugin(tmp_path, f'echo "{complaint}" >&2; echo "{complaint}"; exit 1')
    user = an_exec_user(plugin, args=["--client", "hunter1", "--x=hunter2"], env=[{"name": "GREETING", "value": "hunter3"}])
    assert refusal(cluster.kubeconfig(tmp_path, user=user)) == (
        f"exec plugin '{plugin}' failed with exit code 1; run it by hand to see what it says, or log in again"
    )


def test_a_plugin_may_complain_at_length_and_still_be_heard(cluster: Replay, tmp_path: Path) -> None:
    plugin = a_plugin(tmp_path, f"yes | head -c 1000000 >&2; {a_credential('t')}")
    assert connect(cluster.kubeconfig(tmp_path, user=an_exec_user(plugin))).get("/version").status == 200


def test_a_plugin_that_is_missing_is_named_with_the_hint_of_the_kubeconfig(cluster: Replay, tmp_path: Path) -> None:
    user = an_exec_user("no-such-plugin", installHint="Install it from\nhttps://example.invalid")
    assert refusal(cluster.kubeconfig(tmp_path, user=user)) == (
        "exec plugin 'no-such-plugin' is not installed, or not in PATH: Install it from https://example.invalid"
    )


def test_a_plugin_that_may_not_be_run_is_named(cluster: Replay, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text("")
    assert (
        refusal(cluster.kubeconfig(tmp_path, user=an_exec_user(plugin)))
        == f"exec plugin '{plugin}' cannot be run: permission denied"
    )


def test_a_plugin_that_hangs_is_ended_with_all_that_it_started(cluster: Replay, tmp_path: Path) -> None:
    plugin = a_plugin(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait")
    started = monotonic()
    said = refusal(cluster.kubeconfig(tmp_path, user=an_exec_user(plugin)), request_timeout=1)
    assert said == (
        f"exec plugin '{plugin}' did not end within 1 s; if it waits for a login, log in by hand first, or raise --request-timeout"
    )
    assert monotonic() - started < 10
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    while lives(child):  # a killed process takes a moment to be gone
        assert monotonic() - started < 10
        sleep(0.01)


def lives(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_plugin_that_failed_is_not_run_again_for_the_next_request(cluster: Replay, tmp_path: Path) -> None:
    plugin = a_plugin(tmp_path, f"echo run >> {tmp_path}/runs; exit 1")
    api = connect(cluster.kubeconfig(tmp_path, user=an_exec_user(plugin)))
    for _ in range(3):
        with pytest.raises(CannotScan):
            api.get("/version")
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_plugin_that_insists_on_a_terminal_is_not_run(cluster: Replay, tmp_path: Path) -> None:
    user = an_exec_user("asks", interactiveMode="Always")
    assert refusal(cluster.kubeconfig(tmp_path, user=user)) == (
        "exec plugin 'asks' wants a terminal (interactiveMode: Always), which karpenter-check does not give it"
    )


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ({"token": "a-token\n"}, "Bearer a-token"),
        ({"username": "jane", "password": "pässword"}, "Basic amFuZTpww6Rzc3dvcmQ="),
        ({"auth-provider": {"name": "oidc", "config": {"id-token": "a.jwt.x"}}}, "Bearer a.jwt.x"),
        ({}, None),
    ],
)
def test_credentials_of_the_kubeconfig_are_sent(user: dict[str, Any], sent: str | None, cluster: Replay, tmp_path: Path) -> None:
    connect(cluster.kubeconfig(tmp_path, user=user)).get("/version")
    assert authorizations(cluster) == [sent]


def test_a_token_file_is_relative_to_the_kubeconfig_and_read_again_when_it_rotates(cluster: Replay, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    api = connect(cluster.kubeconfig(tmp_path, user={"tokenFile": "token"}))
    api.get("/version")
    (tmp_path / "token").write_text("second\n")
    api.get("/version")
    assert authorizations(cluster) == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    ("content", "said"), [("", "holds no token"), ("a b", "holds a token with characters that no header can hold")]
)
def test_a_token_file_without_a_token_is_named(content: str, said: str, cluster: Replay, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(content)
    assert refusal(cluster.kubeconfig(tmp_path, user={"tokenFile": "token"})) == f"token file {tmp_path}/token {said}"


def test_a_token_file_that_is_missing_is_named(cluster: Replay, tmp_path: Path) -> None:
    assert (
        refusal(cluster.kubeconfig(tmp_path, user={"tokenFile": "token"}))
        == f"token file {tmp_path}/token: no such file or directory"
    )


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"token": f"{CANARY}\nX: y"}, "user 'reader' in the kubeconfig holds a token with characters that no header can hold"),
        ({"token": [CANARY]}, "user 'reader' cannot be read: Expected `str`, got `array` - at `$.token`"),
        ({"exec": {"apiVersion": V1, "args": [CANARY]}}, "user 'reader' cannot be read: Object missing required field `command` - at `$.exec`"),
        ({"auth-provider": {"name": "gcp", "config": {"client-secret": CANARY}}}, "has an auth-provider without a token"),
        ({"client-certificate-data": CANARY + "!"}, "client-certificate-data in the kubeconfig is no base64"),
        ({"client-key": "key.pem"}, "client-key "),
    ],
)  # fmt: skip
def test_a_user_that_cannot_be_used_is_told_without_its_secret(
    user: dict[str, Any], said: str, cluster: Replay, tmp_path: Path
) -> None:
    message = refusal(cluster.kubeconfig(tmp_path, user=user))
    assert said in message
    assert "C4nary" not in message
    assert "\n" not in message


def test_a_kubeconfig_that_is_no_yaml_is_refused_without_its_words(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"users:\n- name: x\n  user: {{token: *{CANARY}}}\n")
    assert refusal(path) == f"kubeconfig {path}: is not YAML (line 3, column 17)"


def test_a_user_entry_without_a_user_is_refused_without_its_words(cluster: Replay, tmp_path: Path) -> None:
    path = cluster.kubeconfig(tmp_path)
    path.write_text(path.read_text().replace("user:\n    token", "misplaced:\n    token"))
    connect(path).get("/version")
    assert authorizations(cluster) == [None]


def test_a_context_whose_user_is_missing_says_so(cluster: Replay, tmp_path: Path) -> None:
    path = cluster.kubeconfig(tmp_path)
    path.write_text(path.read_text().replace("name: reader", "name: writer"))
    assert refusal(path) == f"kubeconfig {path}: its context names user 'reader', and there is no such user"


def impersonated(cluster: Replay) -> dict[str, list[str]]:
    (request,) = cluster.requests
    names = sorted({name.lower() for name in request.headers if name.lower().startswith("impersonate-")})
    return {name: request.headers.get_all(name, []) for name in names}


def test_as_and_every_as_group_get_a_header_of_their_own(cluster: Replay, tmp_path: Path) -> None:
    connect(cluster.kubeconfig(tmp_path), as_user="jane", as_groups=("dev", "ops")).get("/version")
    assert impersonated(cluster) == {"impersonate-user": ["jane"], "impersonate-group": ["dev", "ops"]}


AS_JANE = {
    "token": "t",
    "as": "jane",
    "as-uid": "7",
    "as-groups": ["dev", "ops"],
    "as-user-extra": {"example.org/scope": ["a", "b"]},
}


def test_a_kubeconfig_can_impersonate_too(cluster: Replay, tmp_path: Path) -> None:
    connect(cluster.kubeconfig(tmp_path, user=AS_JANE)).get("/version")
    assert impersonated(cluster) == {
        "impersonate-user": ["jane"],
        "impersonate-uid": ["7"],
        "impersonate-group": ["dev", "ops"],
        "impersonate-extra-example.org%2fscope": ["a", "b"],
    }


def test_another_user_does_not_inherit_the_kubeconfigs_groups(cluster: Replay, tmp_path: Path) -> None:
    connect(cluster.kubeconfig(tmp_path, user=AS_JANE), as_user="joe").get("/version")
    assert impersonated(cluster) == {"impersonate-user": ["joe"]}


def test_groups_that_are_asked_for_replace_those_of_the_kubeconfig(cluster: Replay, tmp_path: Path) -> None:
    connect(cluster.kubeconfig(tmp_path, user={"as": "jane", "as-groups": ["dev"]}), as_groups=("ops",)).get("/version")
    assert impersonated(cluster) == {"impersonate-user": ["jane"], "impersonate-group": ["ops"]}


def test_a_name_beyond_ascii_is_sent_as_utf_8(cluster: Replay, tmp_path: Path) -> None:
    connect(cluster.kubeconfig(tmp_path), as_user="jürgen").get("/version")
    (sent,) = impersonated(cluster)["impersonate-user"]
    assert sent.encode("latin-1").decode() == "jürgen"


@pytest.mark.parametrize(
    ("user", "groups", "said"),
    [
        (None, ("ops",), "groups are impersonated along with a user: give --as USER, too"),
        ("jane\nX: y", (), f"--as {IN_NO_HEADER}"),
        ("\udcff", (), f"--as {IN_NO_HEADER}"),
        ("jane", ("dev", "\udcff"), f"--as-group {IN_NO_HEADER}"),
    ],
)
def test_an_impersonation_that_cannot_be_is_refused(
    user: str | None, groups: tuple[str, ...], said: str, cluster: Replay, tmp_path: Path
) -> None:
    with pytest.raises(CannotScan) as refused:
        connect(cluster.kubeconfig(tmp_path), as_user=user, as_groups=groups)
    assert str(refused.value) == said


def with_halves(kubeconfig: Path) -> Path:
    """The kubeconfig with half a character wherever it says HALF: YAML can write that, and UTF-8 cannot."""
    kubeconfig.write_text(kubeconfig.read_text().replace("HALF", r'"h\ud800"'))
    return kubeconfig


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"as": "HALF"}, f"as in the kubeconfig {IN_NO_HEADER}"),
        ({"as": "jane", "as-groups": ["dev", "HALF"]}, f"as-groups in the kubeconfig {IN_NO_HEADER}"),
        ({"as": "jane", "as-uid": "HALF"}, f"as-uid in the kubeconfig {IN_NO_HEADER}"),
        ({"as": "jane", "as-user-extra": {"scope": ["HALF"]}}, f"as-user-extra in the kubeconfig {IN_NO_HEADER}"),
        ({"as": "jane", "as-user-extra": {"HALF": ["a"]}}, f"as-user-extra in the kubeconfig {IN_NO_HEADER}"),
        ({"username": "HALF", "password": "p"}, "user 'reader' in the kubeconfig holds a username with characters that no header can hold"),
        ({"username": "jane", "password": "HALF"}, "user 'reader' in the kubeconfig holds a password with characters that no header can hold"),
        ({"token": "HALF"}, "user 'reader' in the kubeconfig holds a token with characters that no header can hold"),
        ({"tokenFile": "HALF"}, "tokenFile in the kubeconfig is no path that a file can have"),
        ({"exec": {"apiVersion": V1, "command": "true", "args": ["HALF"]}}, "exec plugin 'true' cannot be run: its arguments cannot be passed"),
    ],
)  # fmt: skip
def test_half_a_character_is_refused_by_the_name_of_its_field(
    user: dict[str, Any], said: str, cluster: Replay, tmp_path: Path
) -> None:
    assert refusal(with_halves(cluster.kubeconfig(tmp_path, user=user))) == said
    assert cluster.requests == []


def test_a_path_with_a_colon_is_one_file(cluster: Replay, tmp_path: Path) -> None:
    folder = tmp_path / f"a{os.pathsep}b"
    folder.mkdir()
    assert connect(cluster.kubeconfig(folder)).get("/version").status == 200


def test_of_several_files_an_empty_one_does_not_count(cluster: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(empty), str(cluster.kubeconfig(tmp_path))]))
    assert connect().get("/version").status == 200


def test_entries_of_several_files_are_relative_to_their_own(
    cluster: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "token").write_text("of-the-other")
    second = cluster.kubeconfig(tmp_path / "other", user={"tokenFile": "token"})
    first = tmp_path / "first"
    first.write_text("{apiVersion: v1, kind: Config, current-context: replay, users: null}")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(first), str(second)]))
    connect().get("/version")
    assert authorizations(cluster) == ["Bearer of-the-other"]


def test_a_login_that_ends_during_a_scan_leaves_the_rest_unseen_and_says_what_to_do(cluster: Replay, tmp_path: Path) -> None:
    cluster.answer("/api/v1/events", an_error("401"))
    snapshot = collect_live(connect(cluster.kubeconfig(tmp_path)))
    assert snapshot.covered(Kind.EVENT) == Coverage(
        Status.FAILED,
        0,
        "GET /api/v1/events: HTTP 401: Unauthorized; the token of user 'reader' in the kubeconfig may have expired: log in again",
    )


def test_a_login_that_expires_between_two_pages_is_renewed_and_nothing_is_lost(tmp_path: Path) -> None:
    script = f"""echo run >> {tmp_path}/runs
printf '{{"apiVersion":"{V1}","kind":"ExecCredential","status":{{"token":"t%s"}}}}' "$(grep -c run {tmp_path}/runs)" """
    plugin = a_plugin(tmp_path, script)
    with Replay("healthy", page_size=20) as replay:
        replay.answer("/api/v1/pods", an_error("401"), page=2)
        snapshot = collect_live(connect(replay.kubeconfig(tmp_path, user=an_exec_user(plugin))))
    assert snapshot.covered(Kind.POD) == Coverage(Status.COMPLETE, 27)
    assert [request.headers["authorization"] for request in replay.requests if request.path == "/api/v1/pods"] == [
        "Bearer t1",
        "Bearer t1",
        "Bearer t2",
    ]


@pytest.mark.parametrize("name", ["a\0b", "a\ud800"])
def test_a_file_whose_name_no_file_can_have_is_told_by_its_field(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotScan) as refused:
        content("", name, tmp_path, "client-key")

    assert str(refused.value) == "client-key in the kubeconfig names no file that there can be"
