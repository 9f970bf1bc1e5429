"""Programs that were written for the existing system, on a running API."""

from __future__ import annotations

import json

import pytest

from models.rules.booking import BookingEvent
from tasks.users import add_user
from ui.api.legacy.closed import CLOSED

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"
WISH = {
    "email": "ana@example.org",
    "name": "Ana Example",
    "company": "Example Inc.",
    "title": "Title of WKSHP-Test101",
    "notebook": "WKSHP-Test101",
    "sessionType": "Workshops-on-Demand",
    "location": "hub.test",
    "termsAndConditions": True,
    "proxy": "wod",
}
CUSTOMER = {
    "id", "name", "email", "company", "sessionName", "sessionType", "location", "proxy", "active", "cleaned",
    "lastEmailSent", "notebook", "hours", "startDate", "endDate", "studentId", "specialBadgeId",
    "completionPercentage", "createdAt", "updatedAt",
}  # fmt: skip
WORKSHOP = {
    "id", "name", "notebook", "description", "capacity", "priority", "range", "reset", "varpass", "ldap",
    "monoappliance", "multiappliance", "beta", "sessionId", "sessionType", "location", "alternateLocation",
    "avatar", "role", "preRequisite", "compile", "replayLink", "replayId", "active", "workshopImg", "badgeImg",
    "category", "duration", "presenter", "createdAt", "updatedAt", "popular",
}  # fmt: skip


@pytest.fixture
async def staff(shop, web):
    """Yield the headers of a user of each role."""
    found = {}
    for role in ("user", "moderator", "admin"):
        await add_user(shop.database, username=role, email=f"{role}@example.org", password=PASSWORD, roles=[role])
        answer = await web.post("/api/login", json={"username": role, "password": PASSWORD})
        found[role] = {"x-access-token": answer.json()["accessToken"]}
    return found


async def send(web, method, path, body, **headers):
    """Send JSON whose text is ASCII, so that letters can be in it that no other encoding takes."""
    content = {"Content-Type": "application/json"}
    return await web.request(method, path, content=json.dumps(body), headers=content | headers)


async def reference_of(shop, booking_id):
    [(reference,)] = await shop.rows("SELECT reference FROM booking WHERE id = :id", id=booking_id)
    return reference


async def test_an_old_portal_lives_through_a_whole_booking(shop, web, staff):
    await shop.offer()
    [workshop] = (await web.get("/api/workshops", params={"active": "true"})).json()
    assert (workshop["name"], workshop["notebook"], workshop["capacity"]) == (
        "Title of WKSHP-Test101",
        "WKSHP-Test101",
        20,
    )
    booked = await web.post("/api/customer", json=WISH | {"title": workshop["name"], "notebook": None})
    assert booked.status_code == 200
    created = booked.json()
    assert created == {"id": 1, "name": "Ana Example", "email": "ana@example.org", "studentId": 1, "proxy": "wod"}
    [workshop] = (await web.get("/api/workshops")).json()
    assert workshop["capacity"] == 19

    login = await web.post("/api/login", json={"username": "moderator", "password": PASSWORD})
    assert login.json()["roles"] == ["ROLE_MODERATOR"]
    token = {"x-access-token": login.json()["accessToken"]}
    reference = await reference_of(shop, created["id"])

    async def poll():
        row = (await web.get(f"/api/customers/{created['id']}", headers=token)).json()
        return row["lastEmailSent"], row["active"], row["cleaned"]

    assert await poll() == (None, False, False)
    await shop.step(reference, "notebooks")
    assert await poll() == ("welcome", False, False)
    await shop.open(reference)
    assert await poll() == ("credentials", True, False)
    await shop.move(reference, BookingEvent.REMIND)
    assert await poll() == ("expiring", True, False)
    row = (await web.put(f"/api/customer/unregister/{created['id']}", headers=token)).json()
    assert (row["lastEmailSent"], row["active"], row["cleaned"]) == ("unregister", False, False)
    assert (await web.put(f"/api/customer/unregister/{created['id']}", headers=token)).json() == row
    await shop.move(reference, BookingEvent.RELEASE, cells_executed=3, cells_total=4)
    row = (await web.get(f"/api/customers/{created['id']}", headers=token)).json()
    assert (row["lastEmailSent"], row["cleaned"], row["completionPercentage"]) == ("expired", True, 75)


async def test_rows_have_the_fields_of_the_existing_system(shop, web, staff):
    await shop.offer()
    await web.post("/api/customer", json=WISH)
    admin = staff["admin"]
    [customer] = (await web.get("/api/customers", headers=admin)).json()
    assert set(customer) == CUSTOMER
    assert (customer["sessionName"], customer["notebook"], customer["location"], customer["hours"]) == (
        "Title of WKSHP-Test101",
        "WKSHP-Test101",
        "hub.test",
        4,
    )
    assert customer == (await web.get("/api/customers/1", headers=admin)).json()
    [workshop] = (await web.get("/api/workshops")).json()
    assert set(workshop) == WORKSHOP
    assert workshop == (await web.get(f"/api/workshops/{workshop['id']}")).json()
    assert (workshop["range"], workshop["location"], workshop["duration"]) == ([1, 20], "hub.test", 4)
    students = (await web.get("/api/students", headers=admin)).json()
    assert [each["assigned"] for each in students] == [True] + [False] * 39
    assert students[0] == (await web.get("/api/students/1", headers=admin)).json()
    assert {key: students[0][key] for key in ("id", "url", "username", "password", "location")} == {
        "id": 1,
        "url": "http://hub.test:8000/user/student1/lab",
        "username": "student1",
        "password": "",
        "location": "hub.test",
    }
    assert (await web.get("/api/locations")).json() == [
        {"id": 1, "name": "hub.test", "basestdid": 0, "proto": "http", "port": 8000}
    ]
    assert (await web.get("/api/location/1")).json()["name"] == "hub.test"
    badges = (await web.get("/api/special-badges")).json()
    assert [(each["id"], each["name"]) for each in badges] == [
        (1, "Apprentice"), (2, "Expert"), (3, "Hero"), (4, "Super Hero"), (5, "Legend"),
    ]  # fmt: skip
    [user, _, admin_row] = (await web.get("/api/users", headers=admin)).json()
    assert (user["roles"], admin_row["username"]) == (["user"], "admin")
    assert not {"password", "passwordHash", "password_hash"} & set(user)


async def test_workshops_by_category_and_out_of_beta(shop, web, staff):
    await shop.offer("WKSHP-A", beta=True, category=["Open Source", "infra"])
    await shop.offer("WKSHP-B", category=["Open Source"])
    await shop.offer("WKSHP-Draft", active=False, category=["Secret"])
    assert (await web.get("/api/workshops/categories")).json() == ["infra", "Open Source"]
    finished = (await web.get("/api/workshopsBeta", headers=staff["user"])).json()
    assert [each["notebook"] for each in finished] == ["WKSHP-B"]
    assert {each["notebook"] for each in (await web.get("/api/workshops")).json()} == {"WKSHP-A", "WKSHP-B"}
    assert (await web.get("/api/workshops", params={"active": "false"})).json() == []


async def test_a_second_booking_is_told_with_202_and_only_staff_learns_which_one(shop, web, staff):
    await shop.offer()
    await web.post("/api/customer", json=WISH)
    again = await web.post("/api/customer", json=WISH | {"email": "ANA@example.org"})
    assert again.status_code == 202
    assert (again.json()["id"], again.json()["title"]) == (None, None)
    assert again.json()["endDate"] > "2026"
    by_staff = await web.post("/api/customer", json=WISH, headers=staff["moderator"])
    assert (by_staff.json()["id"], by_staff.json()["title"]) == (1, "Title of WKSHP-Test101")
    by_user = await web.post("/api/customer", json=WISH, headers=staff["user"])
    assert by_user.json()["id"] is None


async def test_what_is_full_is_told_with_202_and_a_text(shop, web):
    await shop.offer(capacity=0)
    full = await web.post("/api/customer", json=WISH)
    assert (full.status_code, full.text) == (
        202,
        "Registration full, capacity exceeded. Please try again later",
    )
    assert full.headers["content-type"] == "text/plain; charset=utf-8"
    await shop.rows("UPDATE backend SET ready_at = NULL")
    nowhere = await web.post("/api/customer", json=WISH)
    assert (nowhere.status_code, nowhere.text) == (
        202,
        "No location available for this workshop - contact admin team",
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"email": "nowhere"}, "not an e-mail address"),
        ({"email": "ana@mailinator.com"}, "throw-away"),
        ({"email": "ana@example.org\x00"}, "not an e-mail address"),
        ({"email": 7}, "email: This has to be text."),
        ({"email": None}, "email: This has to be text."),
        ({"name": " "}, "name"),
        ({"name": "Buy https://x.example"}, "web address"),
        ({"termsAndConditions": False}, "terms"),
        ({"notebook": "WKSHP-None"}, "no such workshop"),
        ({"notebook": "WKSHP-Off"}, "not offered"),
        ({"notebook": "a\x00"}, "key of a workshop"),
        ({"notebook": "", "title": "No such title"}, "no workshop with this title"),
        ({"notebook": "", "title": "\ud800\x00"}, "no workshop with this title"),
        ({"notebook": None, "title": None}, "no workshop with this title"),
    ],
)
async def test_what_is_wrong_is_told_and_nothing_dropped_in_silence(shop, web, change, says):
    await shop.offer()
    await shop.offer("WKSHP-Off", active=False)
    answer = await send(web, "POST", "/api/customer", WISH | change)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert answer.json()["message"] == answer.json()["error"]
    assert await shop.rows("SELECT * FROM booking") == []


async def test_all_that_is_wrong_is_told_at_once(shop, web):
    await shop.offer()
    answer = await web.post("/api/customer", json={"email": "x", "name": "", "termsAndConditions": False})
    for part in ("e-mail address", "name", "terms"):
        assert part in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "kind"), [(b"{", "application/json"), (b"\xff", "application/json"), (b"email=a", "text/x")]
)
async def test_bodies_that_are_not_json_are_told_so(shop, web, body, kind):
    answer = await web.post("/api/customer", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_a_booking_is_ended_by_active_false_and_not_changed_otherwise(shop, web, staff):
    await shop.offer()
    await web.post("/api/customer", json=WISH)
    reference = await reference_of(shop, 1)
    await shop.serve(reference)
    moderator = staff["moderator"]
    row = (await web.get("/api/customers/1", headers=moderator)).json()
    for wish in (row, {}, {"active": True}):
        assert (await web.put("/api/customer/1", json=wish, headers=moderator)).json() == row
    for wish in ({"email": "x@example.org"}, row | {"active": False, "endDate": "2030-01-01"}, {"\ud800": 1}):
        answer = await send(web, "PUT", "/api/customer/1", wish, **moderator)
        assert answer.status_code == 400
        assert "can't be changed" in answer.json()["error"]
    assert (await web.get("/api/customers/1", headers=moderator)).json() == row
    ended = await web.put("/api/customer/1", json=row | {"active": False}, headers=moderator)
    assert (ended.json()["active"], ended.json()["lastEmailSent"]) == (False, "unregister")
    reopened = await web.put("/api/customer/1", json={"active": True}, headers=moderator)
    assert reopened.status_code == 400


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/api/customers/{}", "Customer Not Found"),
        ("/api/students/{}", "Student Not Found"),
        ("/api/users/{}", "User Not Found"),
        ("/api/workshops/{}", "Workshop Not Found"),
        ("/api/location/{}", "Location Not Found"),
    ],
)
async def test_what_is_not_there_is_told_with_400(shop, web, staff, path, text):
    for number in (99, 10_001, 2**31 - 1):
        answer = await web.get(path.format(number), headers=staff["admin"])
        assert (answer.status_code, answer.text) == (400, text)
    for number in (0, -1, 2**31, "x", "1e3"):
        answer = await web.get(path.format(number), headers=staff["admin"])
        assert (answer.status_code, "error" in answer.json()) == (400, True)


async def test_customers_come_in_pages(shop, web, staff):
    await shop.offer()
    for name in ("a", "b", "c"):
        await web.post("/api/customer", json=WISH | {"email": f"{name}@example.org"})

    async def ids(**params):
        answer = await web.get("/api/customers", params=params, headers=staff["moderator"])
        return [each["id"] for each in answer.json()]

    assert await ids() == [1, 2, 3]
    assert await ids(limit=2) == [2, 3]
    assert await ids(limit=2, before=2) == [1]


async def test_students_who_are_forgotten_are_nobodys_customers(shop, web, staff):
    await shop.offer()
    await web.post("/api/customer", json=WISH)
    await shop.rows("UPDATE booking SET forget = true")
    assert (await web.get("/api/customers", headers=staff["admin"])).json() == []
    assert (await web.get("/api/customers/1", headers=staff["admin"])).text == "Customer Not Found"


async def test_feedback_is_kept(shop, web):
    given = {"email": "Ana@example.org", "message": " Good\n\x00work \ud800", "proxy": "wod"}
    answer = await send(web, "POST", "/api/email/send-feedback", given)
    assert (answer.status_code, answer.text) == (200, "email sent successfully")
    assert await shop.rows("SELECT email, message FROM feedback") == [("Ana@example.org", "Good\nwork")]
    assert await shop.rows("SELECT * FROM mail") == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"message": "x"}, "An email is required."),
        ({"email": "a@example.org"}, "A message is required."),
        ({"email": "a@example.org", "message": " \x00"}, "A message is required."),
        ({"email": "nowhere", "message": "x"}, "not an e-mail address"),
        ({"email": "a@example.org", "message": "x" * 6000}, "at most 5000 characters"),
    ],
)
async def test_feedback_that_is_none_is_refused(shop, web, given, says):
    answer = await web.post("/api/email/send-feedback", json=given)
    assert answer.status_code == 400
    assert says in answer.text
    assert await shop.rows("SELECT * FROM feedback") == []


async def test_there_are_no_mailing_lists(web):
    for answer in (
        await web.post("/api/emails", json={"email": "a@example.org", "listId": "1"}),
        await web.get("/api/email/random/1"),
    ):
        assert (answer.status_code, answer.text) == (400, "Not using sendgrid")


async def test_what_is_closed_says_why(shop, web, staff):
    for (method, path), why in CLOSED.items():
        for headers in ({}, staff["admin"]):
            answer = await web.request(method, f"/api{path}".replace("{id}", "1"), json={}, headers=headers)
            assert (answer.status_code, answer.json()) == (410, {"message": why})


@pytest.mark.parametrize(
    ("path", "hello"), [("/", "hi!"), ("/api/", "hi!"), ("/test", "test"), ("/api/test", "test")]
)
async def test_the_greetings(web, path, hello):
    assert (await web.get(path)).json() == {"hello": hello}


async def test_the_description_is_where_it_was(web):
    described = (await web.get("/api/openapi.json")).json()
    for path in ("/swagger.json", "/api/swagger.json"):
        assert (await web.get(path)).json() == described


@pytest.mark.fault
async def test_while_the_database_is_away_programs_are_told_in_their_shape(shop, postgres, web, staff):
    postgres.stop()
    try:
        for answer in (
            await web.get("/api/workshops"),
            await web.get("/api/customers", headers=staff["admin"]),
            await web.post("/api/login", json={"username": "admin", "password": PASSWORD}),
        ):
            assert answer.status_code == 503
            assert "Nothing was changed" in answer.json()["error"]
    finally:
        postgres.start()
