# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.passwords import PASSWORD
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("password: " + "hunter2", "hunter2", id="a-word-and-a-digit"),
        pytest.param("pwd=" + "123456", "123456", id="digits"),
        pytest.param("password = " + "letmein", "letmein", id="often-chosen"),
        pytest.param("spring.datasource.password=" + "Qwerty!23\n", "Qwerty!23", id="a-setting"),
        pytest.param("The password is " + "Sommer2024.", "Sommer2024", id="before-a-full-stop"),
        pytest.param("my password was now set to " + "Xk29!mmQ", "Xk29!mmQ", id="in-a-sentence"),
        pytest.param("password for the router is " + "s3cr3t", "s3cr3t", id="with-what-it-is-for"),
        pytest.param("Contraseña: " + "Madrid2023", "Madrid2023", id="spanish"),
        pytest.param('password: "' + 'a(b)c{d}1"', "a(b)c{d}1", id="quoted-whole"),
    ],
)
def test_finds_what_people_choose(text, want):
    assert findings(PASSWORD, text) == [want]


@pytest.mark.parametrize(
    "text",
    [
        *("The password is required.", "Your password: see below", "password: string", "password = None"),
        *(
            "password=os.environ['PASS1']",
            "password: ${PASS1}",
            "password: <your-password1>",
            "passwordHash: a1b2c3d4e5",
        ),
        *(
            "password = form.password2",
            "password policy: 90 days",
            "passwords are hashed with bcrypt12",
            "pwd: /home/user1",
        ),
        *(
            "The password is 8-16 characters long.",
            "password reset after 24h",
            "password=password",
            "Password: ********",
        ),
    ],
)
def test_leaves_what_only_speaks_of_one(text):
    assert findings(PASSWORD, text) == []
