from __future__ import annotations

from typing import Any

import pytest

from models.errors import Refused
from models.rules.variables import booking_variables, platform_variables, unknown_remedy, workshop_of
from models.settings import Settings

BRANDING = Settings(brand="Labs", brand_owner="ACME", survey_url="https://example.org/survey")


def variables(operator: dict[str, Any], key: str = "WKSHP-X", seat: int = 55) -> dict[str, Any]:
    return booking_variables(
        platform_variables(BRANDING, "be1", "labs.example.org", operator), key, seat, 52, "pw"
    )


def test_a_booking_has_all_variables() -> None:
    found = variables({})
    hostvars = found.pop("hostvars")

    assert found == {
        "BRANDINGWOD": "Labs",
        "BRANDING": "ACME",
        "BRANDINGURL": "",
        "BRANDINGLOGO": "",
        "BRANDINGSLACK": "",
        "SURVEYURL": "https://example.org/survey",
        "SURVEYCHALURL": "",
        "WODBEFQDN": "be1",
        "WODBEEXTFQDN": "labs.example.org",
        "inventory_hostname": "be1",
        "WORKSHOP": "WKSHP-X",
        "CHALLENGE": "WKSHP-X",
        "MODEWS": "WKSHP",
        "DIR": "",
        "STDID": 55,
        "PASSSTU": "pw",
    }
    assert hostvars == {"be1": found}


def test_a_challenge_has_the_ports_and_variables_of_its_workshop() -> None:
    found = variables({"HTTPPORT-WKSHP-X": 16051, "WKSHP-X": {"KEY": "a"}, "CHLG-X": {"KEY": "b"}}, "CHLG-X")

    assert (found["WORKSHOP"], found["CHALLENGE"], found["MODEWS"]) == ("WKSHP-X", "CHLG-X", "CHLG")
    assert (found["HTTPPORT"], found["KEY"]) == (16054, "b")


def test_ports_follow_from_the_first_seat() -> None:
    found = variables(
        {
            "HTTPPORT-WKSHP-X": 16051,
            "SSHPORT-WKSHP-X": "16001",
            "DATAVISUPORT1-WKSHP-X": 22101,
            "HTTPPORT-WKSHP-Y": 1,
            "IP-WKSHP-X": "10.0.0.1",
        }
    )

    assert (found["HTTPPORT"], found["SSHPORT"], found["DATAVISUPORT1"]) == (16054, 16004, 22104)
    assert found["hostvars"]["be1"]["HTTPPORT-WKSHP-X"] == 16051
    assert found["hostvars"]["be1"]["IP-WKSHP-X"] == "10.0.0.1"


def test_the_operator_is_stronger_than_the_platform_and_weaker_than_the_booking() -> None:
    found = variables({"BRANDING": "Others", "STDID": 7, "MODEWS": "CHLG", "inventory_hostname": "x"})

    assert (found["BRANDING"], found["STDID"], found["MODEWS"]) == ("Others", 55, "WKSHP")
    assert found["inventory_hostname"] == "be1"


def test_a_workshop_does_not_see_the_variables_of_another() -> None:
    found = variables({"WKSHP-X": {"KEY": "mine"}, "WKSHP-Y": {"SECRET": "theirs"}})

    assert found["KEY"] == "mine"
    assert "theirs" not in str(found)


@pytest.mark.parametrize(("value", "reason"), [("many", "port_not_a_number"), (65535, "port_out_of_range")])
def test_a_port_that_can_not_be(value: object, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        variables({"HTTPPORT-WKSHP-X": value})
    assert refused.value.reason == reason


def test_names() -> None:
    assert workshop_of("CHLG-X") == workshop_of("WKSHP-X") == "WKSHP-X"
    assert "HTTPPORT-WKSHP-X" in unknown_remedy("HTTPPORT", "CHLG-X")
    assert unknown_remedy("IP-WKSHP-X", "WKSHP-X") == ""
