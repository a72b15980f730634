from django.test import Client


def test_the_csrf_endpoint_gives_a_token(client, db):
    answer = client.get("/api/v1/auth/csrf/")
    assert answer.status_code == 200
    assert len(answer.json()["csrfToken"]) >= 32


def test_login_needs_csrf_and_the_right_password(seller):
    client = Client(enforce_csrf_checks=True)
    credentials = {"username": "seller", "password": "a long one, please"}

    def login(body, **headers):
        return client.post("/api/v1/auth/login/", body, content_type="application/json", headers=headers)

    assert login(credentials).status_code == 403
    token = client.get("/api/v1/auth/csrf/").json()["csrfToken"]
    assert login({**credentials, "password": "no"}, **{"x-csrftoken": token}).status_code == 401
    answer = login(credentials, **{"x-csrftoken": token})
    assert answer.status_code == 200
    me = Client().get("/api/v1/auth/me/", headers={"authorization": f"Bearer {answer.json()['token']}"})
    assert me.json() == {"username": "seller"}


def test_a_wrong_token_opens_nothing(db, client):
    assert client.get("/api/v1/sales/", headers={"authorization": "Bearer nonsense"}).status_code == 401
