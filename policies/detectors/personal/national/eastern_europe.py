# SPDX-License-Identifier: Apache-2.0
"""Poland, the Czech and Slovak republics, the Baltic states, the Balkans, Greece, Ukraine and Russia."""

from typing import Final

from stdnum.bg import egn
from stdnum.cz import rc
from stdnum.ee import ik
from stdnum.gr import amka, vat
from stdnum.hr import oib
from stdnum.lt import asmens
from stdnum.lv import pvn
from stdnum.pl import nip, pesel
from stdnum.ru import inn
from stdnum.si import emso
from stdnum.ua import rntrc

from policies.detectors.context import Words
from policies.detectors.personal.national.number import national

PL_PESEL: Final = national(
    name="pl-pesel",
    kind="PL_PESEL",
    forms=(r"\d{11}",),
    is_valid=pesel.is_valid,
    words=Words.of("pesel"),
    finds=("PESEL 44051401458", "pesel: 44051401458", "nr PESEL=44051401458"),
    ignores=("44051401458", "PESEL 44051401457", "order 44051401458"),
)
PL_NIP: Final = national(
    name="pl-nip",
    kind="PL_NIP",
    forms=(r"\d{10}", r"\d{3}-\d{3}-\d{2}-\d{2}", r"\d{3}-\d{2}-\d{2}-\d{3}"),
    is_valid=nip.is_valid,
    words=Words.of("nip", "numer identyfikacji podatkowej"),
    finds=("NIP 1234563218", "NIP: 123-456-32-18", "nip 123-45-63-218"),
    ignores=("1234563218", "NIP 1234563217", "123-456-32-18"),
)
CZ_BIRTH_NUMBER: Final = national(
    name="cz-sk-birth-number",
    kind="CZ_SK_RC",
    forms=(r"\d{6}/\d{3,4}", r"\d{10}"),
    is_valid=rc.is_valid,
    own=r"[0-9]{6}/[0-9]{4}",
    words=Words.of("rodné číslo", "rodne cislo", "rč", "rc"),
    finds=("780103/3548", "rodné číslo 7801033548", "r.č. 710319/2745"),
    ignores=("780103/3549", "7801033548", "781303/3548"),
)
EE_LT_PERSONAL_CODE: Final = national(
    name="ee-lt-personal-code",
    kind="EE_LT_PERSONAL_CODE",
    forms=(r"[1-8]\d{10}",),
    is_valid=lambda number: ik.is_valid(number) or asmens.is_valid(number),
    words=Words.of("isikukood", "asmens kodas"),
    finds=("isikukood 37605030299", "asmens kodas: 33309240146", "personal id 37605030299"),
    ignores=("37605030299", "isikukood 37605030298", "order 33309240146"),
)
LV_PERSONAL_CODE: Final = national(
    name="lv-personal-code",
    kind="LV_PERSONAL_CODE",
    forms=(r"\d{6}-\d{5}", r"\d{11}"),
    is_valid=pvn.is_valid,
    own=r"[0-9]{6}-[0-9]{5}",
    words=Words.of("personas kods", "personas kodu"),
    finds=("161175-19997", "personas kods 16117519997", "tax id: 161175-19997"),
    ignores=("161175-19998", "16117519997", "161375-19997"),
)
BG_EGN: Final = national(
    name="bg-egn",
    kind="BG_EGN",
    forms=(r"\d{10}",),
    is_valid=egn.is_valid,
    words=Words.of("egn", "егн", "единен граждански номер"),
    finds=("ЕГН 7523169263", "EGN: 8001011236", "egn 7523169263"),
    ignores=("7523169263", "EGN 7523169262", "order 7523169263"),
)
HR_OIB: Final = national(
    name="hr-oib",
    kind="HR_OIB",
    forms=(r"\d{11}",),
    is_valid=oib.is_valid,
    words=Words.of("oib", "osobni identifikacijski broj"),
    finds=("OIB 33392005961", "oib: 12345678903", "OIB=33392005961"),
    ignores=("33392005961", "OIB 33392005962", "ref 33392005961"),
)
SI_EMSO: Final = national(
    name="si-emso",
    kind="SI_EMSO",
    forms=(r"\d{13}",),
    is_valid=emso.is_valid,
    words=Words.of("emšo", "emso", "jmbg", "јмбг"),
    finds=("EMŠO 0101006500006", "JMBG: 0101006500006", "emso 0101006500006"),
    ignores=("0101006500006", "EMŠO 0101006500007", "order 0101006500006"),
)
GR_AMKA: Final = national(
    name="gr-amka",
    kind="GR_AMKA",
    forms=(r"\d{11}",),
    is_valid=amka.is_valid,
    words=Words.of("amka", "αμκα", "amka number"),
    finds=("AMKA 01018012342", "ΑΜΚΑ: 01018012342", "amka=01018012342"),
    ignores=("01018012342", "AMKA 01018012343", "order 01018012342"),
)
GR_AFM: Final = national(
    name="gr-afm",
    kind="GR_AFM",
    forms=(r"\d{9}",),
    is_valid=vat.is_valid,
    words=Words.of("afm", "αφμ"),
    finds=("AFM 123456783", "ΑΦΜ: 123456783", "afm=123456783"),
    ignores=("123456783", "AFM 123456784", "order 123456783"),
)
RU_INN: Final = national(
    name="ru-inn",
    kind="RU_INN",
    forms=(r"\d{12}",),
    is_valid=inn.is_valid,
    words=Words.of("inn", "инн"),
    finds=("ИНН 123456789047", "INN: 123456789047", "inn=123456789047"),
    ignores=("123456789047", "ИНН 123456789048", "order 123456789047"),
)
UA_TAX_NUMBER: Final = national(
    name="ua-tax-number",
    kind="UA_RNTRC",
    forms=(r"\d{10}",),
    is_valid=rntrc.is_valid,
    words=Words.of("рнокпп", "іпн", "ipn", "rnokpp"),
    finds=("РНОКПП 1759013577", "ІПН: 1759013577", "rnokpp 1759013577"),
    ignores=("1759013577", "РНОКПП 1759013576", "order 1759013577"),
)
