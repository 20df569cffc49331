from sqlalchemy import select
from flask_security import Totp
from registry.tables import Person
from tests.web.colleagues import EDDA, Team
from tests.web.team.sign_in_browser import Browser, code_of, said
from tests.web.team.test_sign_in_codes import with_codes, CODE, RECOVERY
from cryptography.fernet import Fernet, MultiFernet
from passlib.totp import TOTP

def test_probe(light_team: Team) -> None:
    _, key, codes = with_codes(light_team)
    from registry.web.sign_in import _derive
    other = TOTP.using(secrets={"1": _derive("another secret key", "one-time codes")}, issuer="x")
    f = Fernet(_derive("another secret key", "recovery codes").encode())
    with light_team.site.world.writing() as session:
        p = session.scalars(select(Person).where(Person.email == EDDA.email)).one()
        print("SECRET", p.tf_totp_secret)
        p.tf_totp_secret = other.new().to_json(encrypt=True)
        p.mf_recovery_codes = [f.encrypt(b"abc").decode()]
    edda = Browser(light_team)
    a = edda.follow(edda.sign_in(EDDA.email)); print(a.status_code, said(a)[:300])
    b = edda.fill(CODE, {"code": code_of(key)}); print(b.status_code, said(b)[:400])
    edda = Browser(light_team); edda.sign_in(EDDA.email)
    c = edda.fill(RECOVERY, {"code": codes[0]}); print(c.status_code, said(c)[:400])
    assert 0
