from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from models.errors import Problem, Refused, Severity
from models.settings import Settings
from models.stack_manifest import SshLogin, StackManifest, load_stack, parse_stack, read_stack
from models.stack_settings import OWN_SETTINGS

EXAMPLES = Path(__file__).parents[2] / "deployments" / "examples"

STACK = """\
name: test
backends:
  - machine: be1.local
    number: 1
  - machine: be2.local
    number: 2
api:
  machine: apidb.local
frontend:
  machine: front.local
mail:
  sender: wodmailer@local
"""
ONE_MACHINE = STACK.replace("  - machine: be2.local\n    number: 2\n", "")
for _name in ("be1", "apidb", "front"):
    ONE_MACHINE = ONE_MACHINE.replace(f"{_name}.local", "wod.local")
PUBLIC = STACK.replace(".local", ".example.org")


def read(text: str) -> StackManifest:
    stack, problems = parse_stack(text, "stack.yaml")
    assert stack is not None, problems
    assert problems == []
    return stack


def found(text: str, severity: Severity = Severity.ERROR) -> list[Problem]:
    stack, problems = parse_stack(text, "stack.yaml")
    assert (stack is None) == any(problem.severity is Severity.ERROR for problem in problems)
    assert all(problem.message and problem.remedy and problem.line for problem in problems)
    return [problem for problem in problems if problem.severity is severity]


def with_line(after: str, line: str, text: str = STACK) -> str:
    """Return `text` with a line added, indented as the line after which it stands."""
    indent = " " * (len(after) - len(after.lstrip()))
    changed = text.replace(f"{after}\n", f"{after}\n{indent}{line}\n", 1)
    assert changed != text
    return changed


def instead(old: str, new: str, text: str = STACK) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_what_holds_without_being_written() -> None:
    assert read(STACK).model_dump() == {
        "name": "test",
        "management_user": "wodmgr",
        "ssh": {"user": "ubuntu", "port": 22},
        "machines": {},
        "backends": tuple(
            {
                "machine": f"be{number}.local",
                "number": number,
                "port": 8010,
                "external": "",
                "seats": 100,
                "seat_memory_mb": 1024,
                "seat_cpus": 1.0,
                "pdf_export": True,
            }
            for number in (1, 2)
        ),
        "api": {
            "machine": "apidb.local",
            "port": 10000,
            "protocol": "https",
            "external": "",
            "prefect_port": 10001,
        },
        "frontend": {"machine": "front.local", "port": 8000, "protocol": "https", "external": ""},
        "appliances": (),
        "mail": {"sender": "wodmailer@local", "relay_port": 9000, "smart_host": ""},
        "certificates": {"source": "internal", "email": "", "directory": "", "authority": "", "folder": ""},
        "backup": {"keep_days": 14, "hour": 3},
        "workshops": (),
        "settings": {},
    }


def test_the_reference_stack() -> None:
    stack = read_stack(EXAMPLES / "reference.yaml")
    assert stack == read(STACK)
    assert {name: stack.roles_of(name) for name in stack.machine_names} == {
        "be1.local": ("base", "backend", "documents"),
        "be2.local": ("base", "backend", "documents"),
        "apidb.local": ("base", "api-db"),
        "front.local": ("base", "frontend"),
    }
    assert stack.ports("be1.local").keys() == {22, 8010, 9000, 9104, 9105, 9106}
    assert stack.ports("apidb.local") == {
        22: "sshd",
        9101: "the API behind Caddy",
        9102: "Prefect behind Caddy",
        10000: "the API",
        10001: "Prefect",
    }
    assert stack.ssh_login("be1.local") == ("ubuntu", "be1.local", 22)


def test_one_machine_can_be_everything() -> None:
    stack = read_stack(EXAMPLES / "one-machine.yaml")
    assert stack.machine_names == ("wod.local",)
    assert stack.roles_of("wod.local") == ("base", "backend", "api-db", "frontend", "documents")


def test_what_is_commented_out_in_the_reference_can_be_written() -> None:
    lines = (EXAMPLES / "reference.yaml").read_text().splitlines()
    is_field = ("# ", "    # ", "  # ")
    whole = [
        line.replace("# ", "", 1)
        if line.startswith(is_field) and ": " in f"{line} " and not line.endswith(".")
        else line
        for line in lines[3:]
    ]
    text = "\n".join(line.replace("#   - ", "  - ") for line in whole)
    stack, problems = parse_stack(text.replace("source: internal", "source: files"), "stack.yaml")
    of_acme = [f"certificates.{field}" for field in ("email", "directory", "authority")]
    assert [problem.field for problem in problems] == of_acme
    assert stack is not None
    assert stack.appliances
    assert stack.workshops
    assert stack.model_dump(exclude_unset=True).keys() == StackManifest.model_fields.keys()


@pytest.mark.parametrize(
    ("service", "machine", "side", "address"),
    [
        ("hub", "be1.example.org", "external", "https://labs.example.org"),
        ("hub", "be1.example.org", "internal", "https://be1.example.org:8010"),
        ("hub", "be2.example.org", "external", "https://be2.example.org:8010"),
        ("api", None, "external", "http://apidb.example.org:10000"),
        ("prefect", None, "external", "http://apidb.example.org:10001"),
        ("catalog", None, "external", "https://workshops.example.org:8443"),
        ("catalog", None, "internal", "https://front.example.org"),
    ],
)
def test_addresses_of_services(service, machine, side, address) -> None:
    text = with_line("    number: 1", "external: https://labs.example.org/", PUBLIC)
    text = with_line("  machine: apidb.example.org", "protocol: http", text)
    text = with_line("  machine: front.example.org", "external: https://workshops.example.org:8443", text)
    stack, _ = parse_stack(with_line("  machine: front.example.org", "port: 443", text), "stack.yaml")
    assert stack is not None
    assert stack.url(service, machine, side) == address


def test_only_backends_have_hubs() -> None:
    with pytest.raises(ValueError, match=r"front\.local is not a backend"):
        read(STACK).url("hub", "front.local")


@pytest.mark.parametrize(
    ("override", "login"),
    [
        ("{address: 192.0.2.7}", SshLogin("ubuntu", "192.0.2.7", 22)),
        ("{address: '2001:db8::7'}", SshLogin("ubuntu", "2001:db8::7", 22)),
        ("{ssh_port: 2222, ssh_user: admin}", SshLogin("admin", "be1.local", 2222)),
        ("{ssh_port: }", SshLogin("ubuntu", "be1.local", 22)),
    ],
)
def test_what_is_different_about_a_machine(override, login) -> None:
    stack = read(f"{STACK}machines:\n  be1.local: {override}\n")
    assert stack.ssh_login("be1.local") == login
    assert stack.ssh_login("be2.local") == SshLogin("ubuntu", "be2.local", 22)


@pytest.mark.parametrize(
    ("text", "line", "column", "field", "remedy"),
    [
        (STACK + "colour: blue\n", 13, 1, "colour", "the fields are: name, management_user"),
        (STACK + "backup: {keep_day: 3}\n", 13, 10, "backup.keep_day", "`keep_days`"),
        (
            STACK + "machines:\n  be1.local:\n    adress: 192.0.2.1\n",
            15,
            5,
            "machines.be1.local.adress",
            "`address`",
        ),
        (with_line("    number: 2", "prot: 8011"), 7, 5, "backends[1].prot", "`port`"),
        (STACK + "settings: {brnad: x}\n", 13, 12, "settings.brnad", "`brand`"),
        (STACK + "settings: {zzzz: x}\n", 13, 12, "settings.zzzz", "docs/settings.md"),
        (instead("name: test\n", ""), 1, 1, "name", "Add `name: …`."),
        (instead("    number: 2\n", ""), 5, 5, "backends[1].number", "to `backends[1]`"),
        (instead("  sender: wodmailer@local", "  sender:"), 12, 3, "mail.sender", "Add `sender: …`"),
        (instead("api:\n  machine: apidb.local\n", ""), 1, 1, "api", "Add"),
    ],
)
def test_names_that_are_unknown_or_missing(text, line, column, field, remedy) -> None:
    [problem] = found(text)
    assert (problem.line, problem.column, problem.field) == (line, column, field)
    assert remedy in problem.remedy


def value(field: str, content: str, text: str = STACK) -> str:
    """Return `text` with one field set, in a section that is added when it isn't there."""
    section, _, name = field.rpartition(".")
    if not section:
        return text.replace(f"{field}: test\n", "") + f"{field}: {content}\n"
    if section == "backends":
        return with_line("    number: 1", f"{name}: {content}", text)
    if f"\n{section}:\n" not in text:
        return f"{text}{section}: {{{name}: {content}}}\n"
    return with_line(f"{section}:", f"  {name}: {content}", text)


@pytest.mark.parametrize(
    ("field", "content", "remedy"),
    [
        ("name", "Test", "a-z"),
        ("name", "a/b", "a-z"),
        ("name", "'../etc'", "a-z"),
        ("name", "1st", "beginning with a letter"),
        ("name", "[a]", "Write text"),
        ("name", '"a\\n"', "a-z"),
        ("name", "a" * 33, "32"),
        ("management_user", "root", "platform's alone"),
        ("management_user", "'wod mgr'", "a-z"),
        ("management_user", "student12", "student and a number"),
        ("ssh.user", "-x", "a-z"),
        ("ssh.port", "0", "1 or more"),
        ("ssh.port", "65536", "65535 or less"),
        ("ssh.port", "x", "whole number"),
        ("ssh.port", "1.5", "whole number"),
        ("ssh.port", "[22]", "whole number"),
        ("backends.external", "labs.example.org", "https://"),
        ("backends.external", "ftp://labs.example.org", "https://"),
        ("backends.external", "https://user@labs.example.org", "https://"),
        ("backends.external", "https://labs.example.org:99999", "https://"),
        ("backends.external", "https://labs.example.org:0", "https://"),
        ("backends.external", "https://labs.exa mple.org", "https://"),
        ("backends.external", "'https://[::1'", "https://"),
        ("backends.external", "https://labs.example.org/hub", "after the host"),
        ("backends.external", "https://labs.example.org?a=b", "after the host"),
        ("backends.seats", "0", "1 or more"),
        ("backends.seats", "5001", "5000 or less"),
        ("backends.seat_memory_mb", "64", "128 or more"),
        ("backends.seat_cpus", "0", "above 0"),
        ("backends.seat_cpus", "nan", "Write a number"),
        ("backends.seat_cpus", "inf", "Write a number"),
        ("backends.seat_cpus", "two", "a number"),
        ("api.protocol", "ftp", "'https' or 'http'"),
        ("frontend.protocol", "HTTPS", "'https' or 'http'"),
        ("mail.smart_host", "smtp.example.org", "smtp.example.org:587"),
        ("mail.smart_host", "':25'", "smtp.example.org:587"),
        ("mail.smart_host", "smtp.example.org:0", "smtp.example.org:587"),
        ("certificates.source", "self", "'internal', 'acme' or 'files'"),
        ("certificates.email", "nobody", "workshops@example.org"),
        ("certificates.directory", "http://ca.example.org/directory", "https://ca.example.org/acme"),
        ("certificates.directory", "ca.example.org", "https://ca.example.org/acme"),
        ("backup.keep_days", "0", "1 or more"),
        ("backup.hour", "24", "23 or less"),
        ("backup", "daily", "indented"),
        ("workshops", "samples", "after a dash"),
        ("workshops", "[[a]]", "Write text"),
        ("appliances", "{machine: x}", "after a dash"),
        ("machines", "[be1.local]", "indented"),
        ("settings", "[brand]", "indented"),
        ("settings.brand_color", "green", "in that form"),
        ("settings.prestart_servers", "perhaps", "true or false"),
        ("settings.denied_email_domains", "example.org", "after a dash"),
        ("settings.hour_seconds", "0", "above 0"),
    ],
)
def test_values_that_are_wrong(field, content, remedy) -> None:
    [problem] = found(value(field, content))
    assert problem.field.startswith(field.replace("backends", "backends[0]"))
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("name", "test-2"),
        ("management_user", "student"),
        ("ssh.port", "'2222'"),
        ("backends.external", "https://[2001:db8::1]:8443"),
        ("backends.seat_cpus", "0.5"),
        ("mail.smart_host", "'[2001:db8::1]:25'"),
        ("mail.smart_host", "localhost:25"),
        ("workshops", ""),
        ("workshops", "[https://git.example.org/a.git, ../mine]"),
        ("appliances", "[{machine: ap1.local, containers: docker}, {machine: be1.local}]"),
        ("settings.brand", "2024"),
        ("settings.denied_email_domains", "[example.org]"),
    ],
)
def test_values_that_are_right(field, content) -> None:
    read(value(field, content))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("BE1.local", "a-z"),
        ("be_1", "a-z"),
        ("-be1", "a-z"),
        ("be1..local", "a-z"),
        ("be1.local.", "a-z"),
        ("be1.1", "a-z"),
        ("a" * 63 + ".b", "at most 64"),
        ("192.0.2.1", "its address under `machines`"),
        ("'2001:db8::1'", "its address under `machines`"),
        ("localhost", "wod.local"),
        ("''", "a-z"),
    ],
)
def test_names_that_no_machine_can_have(name, remedy) -> None:
    [problem] = found(instead("front.local", name))
    assert problem.field == "frontend.machine"
    if len(name) < 65:
        assert remedy in problem.remedy


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        (instead("be2.local", "be1.local"), "backends[1].machine", "is a backend already (`backends[0]`)"),
        (instead("number: 2", "number: 1"), "backends[1].number", "1 is taken (`backends[0]`)"),
        (
            STACK + "appliances: [{machine: a.local}, {machine: a.local}]\n",
            "appliances[1].machine",
            "is an appliance already",
        ),
        (STACK + "machines: {be3.local: {ssh_port: 1}}\n", "machines.be3.local", "has no role"),
        (
            STACK + "machines: {be1.local: {address: be2.local}}\n",
            "machines.be2.local.address",
            "be1.local and be2.local are the same machine",
        ),
        (STACK + "certificates: {source: files}\n", "certificates.folder", "is missing"),
        (PUBLIC + "certificates: {source: acme}\n", "certificates.email", "is missing"),
    ],
)
def test_what_does_not_go_together(text, field, says) -> None:
    [problem] = found(text)
    assert problem.field == field
    assert says in problem.message


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        (value("backends.port", "9000"), "mail.relay_port", "the hub (`backends[0].port`) listens on port 9000"),
        (value("backends.port", "22"), "backends[0].port", "sshd listens on port 22 of be1.local"),
        (value("backends.port", "9104"), "backends[0].port", "JupyterHub's own API"),
        (value("backends.port", "2222") + "ssh: {port: 2222}\n", "backends[0].port", "sshd"),
        (
            value("backends.port", "2222") + "machines: {be1.local: {ssh_port: 2222}}\n",
            "backends[0].port",
            "sshd",
        ),
        (value("api.port", "9101"), "api.port", "the API behind Caddy"),
        (value("api.port", "10001"), "api.prefect_port", "the API (`api.port`)"),
        (value("frontend.port", "8010", ONE_MACHINE), "frontend.port", "the hub (`backends[0].port`)"),
        (value("frontend.port", "10000", ONE_MACHINE), "frontend.port", "the API"),
        (value("mail.relay_port", "8000", ONE_MACHINE), "mail.relay_port", "the catalog"),
        (
            value("frontend.port", "80", PUBLIC) + "certificates: {source: acme, email: a@example.org}\n",
            "frontend.port",
            "the check of the certificate authority",
        ),
    ],
)
def test_ports_that_clash(text, field, says) -> None:
    [problem] = found(text)
    assert problem.field == field
    assert says in problem.message
    assert "Choose another port" in problem.remedy


@pytest.mark.parametrize(
    "text",
    [
        value("frontend.port", "8010"),
        value("backends.port", "2222"),
        value("frontend.port", "80", PUBLIC),
        value("backends.port", "22") + "machines: {be1.local: {ssh_port: 2222}}\n",
        STACK + "machines: {be1.local: {address: 192.0.2.1}, be2.local: {address: 192.0.2.1, ssh_port: 2222}}\n",
    ],
    ids=["other machines", "no sshd there", "no acme", "sshd moved", "one address, two sshd"],
)
def test_what_does_not_clash(text) -> None:
    read(text)


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("workshops.example.org", True),
        ("front.local", False),
        ("front.internal", False),
        ("front", False),
        ("192.0.2.1", False),
        ("[2001:db8::1]", False),
    ],
)
def test_a_public_authority_certifies_public_names(host, is_known) -> None:
    text = value("frontend.external", f"https://{host}", PUBLIC)
    problems = found(text + "certificates: {source: acme, email: a@example.org}\n")
    assert [problem.field for problem in problems] == ([] if is_known else ["frontend.external"])


def test_an_authority_of_the_operators_certifies_any_name_and_needs_no_address() -> None:
    text = (
        STACK + "certificates: {source: acme, directory: 'https://ca.local/acme/directory', authority: ca.crt}\n"
    )
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (value("certificates.directory", "https://ca.local/directory"), ["certificates.directory"]),
        (
            PUBLIC + "certificates: {source: acme, email: a@example.org, authority: ca.crt}\n",
            ["certificates.authority"],
        ),
        (value("frontend.protocol", "http"), ["frontend.protocol"]),
        (value("api.protocol", "http"), ["api.protocol"]),
        (value("backends.external", "http://labs.example.org"), ["backends[0].external"]),
        (value("api.external", "https://a.example.org", value("api.protocol", "http")), []),
        (value("api.external", "http://a.example.org", value("api.protocol", "http")), ["api.external"]),
        (value("certificates.email", "a@example.org"), ["certificates.email"]),
        (value("certificates.folder", "certs"), ["certificates.folder"]),
    ],
)
def test_what_is_only_warned_of(text, fields) -> None:
    assert [problem.field for problem in found(text, Severity.WARNING)] == fields


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_what_the_installer_sets_itself(name) -> None:
    [problem] = found(f"{STACK}settings: {{{name}: s3cret}}\n")
    assert problem.message == f"`settings.{name}` is not set here."
    assert "s3cret" not in str(problem)


def test_settings_of_the_installer_are_settings() -> None:
    secrets = {name for name, each in Settings.model_fields.items() if SecretStr.__name__ in str(each.annotation)}
    assert secrets <= set(OWN_SETTINGS) <= set(Settings.model_fields)


def test_further_settings_have_their_kinds() -> None:
    text = f"{STACK}settings: {{reminder_hours: '0.5', prestart_servers: true, variables_file: /srv/v.yml}}\n"
    assert read(text).settings == {
        "reminder_hours": 0.5,
        "prestart_servers": True,
        "variables_file": "/srv/v.yml",
    }


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "empty"),
        ("- a\n", 1, "not a list of"),
        (STACK + "name: again\n", 13, "`name` is given twice (before on line 1)"),
        (STACK + "ssh: {port: 22, port: 23}\n", 13, "`port` is given twice"),
        (STACK + "ssh: !vault x\n", 13, "A tag"),
        (STACK + "workshops: [&a x, *a]\n", 13, "An alias"),
        (STACK + "? [a]\n: b\n", 13, "not plain text"),
        (STACK + "---\nname: other\n", 14, "second document"),
        (STACK + "---\n'\n", 15, "Not valid YAML"),
        (STACK + "ssh: {port: 22\n", 14, "Not valid YAML"),
    ],
)
def test_files_of_another_form(text, line, says) -> None:
    problem = found(text)[0]
    assert problem.line == line
    assert says in problem.message


def test_everything_wrong_is_told_at_once() -> None:
    text = instead("number: 2", "number: 1\n    port: 99999", instead("name: test", "name: Test"))
    fields = [problem.field for problem in found(text + "colour: blue\nmachines: {be3.local: {x: 1}}\n")]
    assert fields == [
        "name",
        "backends[1].number",
        "backends[1].port",
        "colour",
        "machines.be3.local",
        "machines.be3.local.x",
    ]


def test_a_stack_is_read_with_its_folders(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    file = tmp_path / "stack.yaml"
    file.write_text(
        STACK + "certificates: {source: files, folder: tls}\nworkshops: [mine, git@example.org:a.git]\n"
    )
    stack = read_stack(file)
    assert stack.certificates.folder == str(tmp_path / "tls")
    assert stack.workshops == (str(tmp_path / "mine"), "git@example.org:a.git")


def test_a_wrong_stack_is_refused_with_every_problem(tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text(instead("number: 2", "number: 0", instead("name: test", "name: Test")))
    with pytest.raises(Refused) as refused:
        read_stack(file)
    assert refused.value.reason == "stack_wrong"
    lines = refused.value.message.splitlines()
    assert [line.split(" error: ")[0] for line in lines] == [f"{file}:1:7:", f"{file}:6:13:"]


@pytest.mark.parametrize("content", [None, b"name: \xff\n"], ids=["missing", "not UTF-8"])
def test_a_file_that_can_not_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "stack.yaml"
    if content is not None:
        file.write_bytes(content)
    stack, [problem] = load_stack(file)
    assert stack is None
    assert problem.path == str(file)


def test_a_stack_never_changes() -> None:
    with pytest.raises(ValidationError):
        read(STACK).api.port = 1


SHAPES = ["x", "[]", "{}", "[x]", "[[x]]", "{x: y}", "[{x: y}]", "{x: {y: z}}", ""]
SHAPES += ["{machine: a}", "[{machine: a, number: 1}]", "{a: {address: b}}", "'{0}'"]


@given(st.dictionaries(st.sampled_from([*StackManifest.model_fields, "x"]), st.sampled_from(SHAPES)))
def test_no_shape_of_a_file_surprises(sections: dict[str, str]) -> None:
    found("".join(f"{name}: {content}\n" for name, content in sections.items()))
